// Bare addresses (https://…, www.…) next to Chinese, Japanese and Korean. GitHub ends an address at a space, which
// these languages do not use. Here it ends before their punctuation, and that of Arabic, Hindi and French; and before
// CJK letters, unless those continue a path or a query: /wiki/中文 stays whole.

import { gfmAutolinkLiteral } from "micromark-extension-gfm-autolink-literal";
import { onReplacedCodes } from "./replaced_codes.js";

/** @import { Code, Construct, Effects, Extension, State, TokenizeContext } from "micromark-util-types" */

const MARK =
  /[\u00ab\u00bb\u060c\u061b\u061f\u06d4\u0964\u0965\u2014\u2015\u2018-\u201f\u2026\u3000-\u3004\u3008-\u3020\u3030\u303d\u30fb\ufe10-\ufe6f\uff01-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\uffee]/;
const LETTER =
  /[\u1100-\u11ff\u2e80-\u2fff\u3005-\u3007\u3021-\u302f\u3031-\u303c\u3040-\u30fa\u30fc-\ua4cf\uac00-\ud7ff\ud840-\ud88f\uf900-\ufaff\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc]/;
const CONTINUES = /[/=_%#?&+~@(-]/; // a letter after one of these belongs to the address
const ROOT = /^(?:https?:\/\/)?[^/]+\/$/i; // a host only: what follows belongs to the sentence

/** @param {Code} code */
const isBeside = (code) =>
  code !== null &&
  code > 0 &&
  (LETTER.test(String.fromCharCode(code)) || MARK.test(String.fromCharCode(code)));

/**
 * Return whether `char` ends the address that starts with `before`.
 *
 * @param {string} before
 * @param {string} char
 */
function endsAddress(before, char) {
  if (MARK.test(char)) return true;
  if (!LETTER.test(char)) return false;
  const last = before.at(-1) ?? "";
  if (/^https?:\/*$/i.test(before)) return false; // an internationalized host
  return !(LETTER.test(last) || /[\udc00-\udfff]/.test(last) || (CONTINUES.test(last) && !ROOT.test(before)));
}

/**
 * Wrap a construct so that it sees the end of the text where the address ends, and may start right after a CJK
 * character.
 *
 * @param {Construct} construct
 * @returns {Construct}
 */
function besideCjk(construct) {
  /**
   * @this {TokenizeContext}
   * @param {Effects} effects
   * @param {State} ok
   * @param {State} nok
   */
  function tokenize(effects, ok, nok) {
    const context = isBeside(this.previous) ? Object.create(this, { previous: { value: null } }) : this;
    const from = this.now().offset;
    /** @type {string[]} */
    const chars = []; // by offset: micromark may read some of them twice
    /** @type {(ok: State, nok: State) => State} */
    const begin = (ok, nok) => construct.tokenize.call(context, effects, ok, nok);
    /** @type {(code: Code) => Code} */
    const replace = (code) => {
      const char = code === null || code < 0 ? "" : String.fromCharCode(code);
      const at = context.now().offset - from;
      const ends = char > "\u007f" && endsAddress(chars.slice(0, at).join(""), char);
      chars[at] = char;
      return ends ? null : code;
    };
    return onReplacedCodes(begin, replace, ok, nok);
  }
  /** @type {Construct["previous"]} */
  const previous = function (code) {
    return isBeside(code) || !construct.previous || construct.previous.call(this, code);
  };
  return { ...construct, tokenize, previous };
}

/** @type {[code: string, construct: Construct][]} */
const CONSTRUCTS = Object.entries(gfmAutolinkLiteral().text ?? {}).flatMap(([code, value = []]) =>
  [value].flat().map((construct) => [code, construct]),
);
/** @type {(pair: [code: string, construct: Construct]) => boolean} */
const isEmail = ([, { name }]) => name === "emailAutolink";

/**
 * @param {[code: string, construct: Construct][]} pairs
 * @returns {Extension}
 */
function extension(pairs) {
  /** @type {Record<string, Construct[]>} */
  const text = {};
  for (const [code, construct] of pairs) (text[code] ??= []).push(construct);
  return { text };
}

const EMAIL = extension(CONSTRUCTS.filter(isEmail));
const WEB = extension(
  CONSTRUCTS.filter((pair) => !isEmail(pair)).map(([code, construct]) => [code, besideCjk(construct)]),
);

/**
 * Return the extensions that `source` needs: looking for addresses at every letter takes half of the parsing time.
 *
 * @param {string} source
 */
export function addressSyntax(source) {
  return [...(source.includes("@") ? [EMAIL] : []), ...(/:\/\/|www\./i.test(source) ? [WEB] : [])];
}
