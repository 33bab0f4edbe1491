// Emphasis and strikethrough. CommonMark decides by spaces and punctuation whether a mark opens or closes, which fails
// in scripts without case: some of them write no spaces (Chinese, Japanese, Thai), others attach particles to the marked
// word (Arabic, Hebrew, Korean, Tamil). The packages know Chinese, Japanese and Korean; here the others look like these.

import { cjkFriendlyExtension } from "micromark-extension-cjk-friendly";
import { gfmStrikethroughCjkFriendly } from "micromark-extension-cjk-friendly-gfm-strikethrough";
import { combineExtensions } from "micromark-util-combine-extensions";
import { onReplacedCodes } from "./replaced_codes.js";

/** @import { Code, Construct, Effects, Extension, State, TokenizeContext } from "micromark-util-types" */

const CJK = 0x4e00;
const CASELESS = /\p{Lo}|(?![\u0300-\u036f\ufe00-\ufe2f])\p{M}/u; // not the accents and selectors of other scripts

/**
 * @param {Code} code
 * @returns {Code}
 */
const asCjk = (code) =>
  code !== null && code > 0x2ff && code < CJK && CASELESS.test(String.fromCharCode(code)) ? CJK : code;

/**
 * Wrap a construct so that it sees letters without case as Chinese ones.
 *
 * @param {Construct} construct
 * @returns {Construct}
 */
function besideCaseless(construct) {
  /**
   * @this {TokenizeContext}
   * @param {Effects} effects
   * @param {State} ok
   * @param {State} nok
   */
  function tokenize(effects, ok, nok) {
    const context = Object.create(this, { previous: { value: asCjk(this.previous) } });
    /** @type {(ok: State, nok: State) => State} */
    const begin = (ok, nok) => construct.tokenize.call(context, effects, ok, nok);
    return onReplacedCodes(begin, asCjk, ok, nok);
  }
  return { ...construct, tokenize };
}

/**
 * Return an extension with each of its constructs for marks wrapped.
 *
 * @param {Extension} extension
 * @returns {Extension}
 */
function wrapped(extension) {
  const pairs = Object.entries(extension.text ?? {}).map(([mark, constructs = []]) => [
    mark,
    [constructs].flat().map(besideCaseless),
  ]);
  return { ...extension, text: Object.fromEntries(pairs) };
}

export const EMPHASIS = combineExtensions([
  wrapped(cjkFriendlyExtension()),
  wrapped(gfmStrikethroughCjkFriendly({ singleTilde: false })),
]);
