// Markdown's grammar on the page: CommonMark, GitHub's extensions, formulas, and emphasis and addresses
// beside Chinese, Japanese and Korean. https://spec.commonmark.org https://github.github.com/gfm

import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmAutolinkLiteralFromMarkdown } from "mdast-util-gfm-autolink-literal";
import { gfmFootnoteFromMarkdown } from "mdast-util-gfm-footnote";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTaskListItemFromMarkdown } from "mdast-util-gfm-task-list-item";
import { cjkFriendlyExtension } from "micromark-extension-cjk-friendly";
import { gfmStrikethroughCjkFriendly } from "micromark-extension-cjk-friendly-gfm-strikethrough";
import { gfmFootnote } from "micromark-extension-gfm-footnote";
import { gfmTable } from "micromark-extension-gfm-table";
import { gfmTaskListItem } from "micromark-extension-gfm-task-list-item";
import { combineExtensions } from "micromark-util-combine-extensions";
import { addressSyntax } from "./addresses.js";
import { formulaNodes, formulaSyntax } from "./formula_syntax.js";
import { Closers } from "./formulas.js";

/** @import { Construct, Effects, Extension, State, TokenizeContext } from "micromark-util-types" */
/**
 * A node of mdast, or one of ours: formula, formulaBlock, element, htmlText, plain.
 *
 * @typedef {{ type: string, children?: Node[], [name: string]: any }} Node
 */
/** A node that holds others. @typedef {Node & { children: Node[] }} Parent */
/** Labels of links and footnotes. @typedef {{ links: string[], notes: string[] }} Labels */

const { enter, exit } = gfmAutolinkLiteralFromMarkdown(); // without its second look at the text, which knows no CJK

const GITHUB = combineExtensions([
  gfmFootnote(),
  gfmTable(),
  gfmTaskListItem(),
  cjkFriendlyExtension(),
  gfmStrikethroughCjkFriendly({ singleTilde: false }),
]);
const NODES = [
  { enter, exit },
  gfmFootnoteFromMarkdown(),
  gfmStrikethroughFromMarkdown(),
  gfmTableFromMarkdown(),
  gfmTaskListItemFromMarkdown(),
  formulaNodes,
];

const STAR = 42;
const LINE = 95;
const MOST_MARKS = 32; // of emphasis in a row: pairing more of them takes the cube of their number

/**
 * A row of stars or lines that is too long for emphasis, as text.
 *
 * @param {Effects} effects
 * @param {State} ok
 * @param {State} nok
 * @returns {State}
 */
function tokenizeRow(effects, ok, nok) {
  let count = 0;
  /** @type {State} */
  const row = (code) => {
    if (code === STAR || code === LINE) {
      count += 1;
      effects.consume(code);
      return row;
    }
    effects.exit("data");
    return count > MOST_MARKS ? ok(code) : nok(code);
  };
  return (code) => {
    effects.enter("data");
    return row(code);
  };
}
/** @type {Construct} */
const ROW = { name: "row", tokenize: tokenizeRow };
const ROWS = { text: { [STAR]: ROW, [LINE]: ROW } };

/**
 * Link and footnote labels that are defined outside of the text.
 *
 * @param {Labels} labels
 * @returns {Extension[]}
 */
function known({ links, notes }) {
  /**
   * @this {TokenizeContext}
   * @param {Effects} effects
   * @param {State} ok
   * @param {State} nok
   */
  function tokenize(effects, ok, nok) {
    const { parser } = this;
    if (!parser.knowsMore) {
      parser.knowsMore = true;
      parser.defined.push(...links);
      (parser.gfmFootnotes ??= []).push(...notes);
    }
    return nok;
  }
  const looking = { name: "known", tokenize };
  return links.length || notes.length ? [{ text: { 91: looking, 93: looking } }] : [];
}

const NONE = { undecided: Infinity, isClosed: () => false }; // a text without blocks of formulas

/** @type {Labels} */
const NOTHING = { links: [], notes: [] };

/**
 * Read a text: its blocks as `nodes`, mdast with positions (https://github.com/syntax-tree/mdast), and the line from
 * which on they are `undecided`. `defined` holds labels that other texts of the message define; `growing` says that
 * more of this one may come.
 *
 * @param {string} text
 * @returns {{ nodes: Node[], undecided: number }}
 */
export function read(text, defined = NOTHING, growing = false) {
  const closers = /\$\$|\\\[/.test(text) ? new Closers(text, growing) : NONE;
  const formulas = /[$\\]/.test(text) ? [formulaSyntax(closers)] : [];
  const extensions = [GITHUB, ROWS, ...addressSyntax(text), ...formulas, ...known(defined)];
  const { children: nodes } = fromMarkdown(text, { extensions, mdastExtensions: NODES });
  return { nodes, undecided: closers.undecided };
}

/**
 * The blocks of a text alone.
 *
 * @param {string} text
 * @param {Labels} [defined]
 * @param {boolean} [growing]
 */
export const parse = (text, defined, growing) => read(text, defined, growing).nodes;

/**
 * The children of a node.
 *
 * @param {Node | undefined} node
 */
export const childrenOf = (node) => node?.children ?? [];

/**
 * Nodes and all that they hold, in the order of the text and without recursion; not what is in one of `skipped` type.
 *
 * @param {Node[]} nodes
 * @param {string} [skipped]
 */
export function* walk(nodes, skipped) {
  const todo = [...nodes].reverse();
  for (let node; (node = todo.pop());) {
    yield node;
    if (node.type !== skipped) todo.push(...[...childrenOf(node)].reverse());
  }
}
