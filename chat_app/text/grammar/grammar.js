// The page's Markdown grammar: CommonMark, GitHub's extensions, formulas, and emphasis and addresses in scripts that
// write no spaces around them. https://spec.commonmark.org https://github.github.com/gfm

import { fromMarkdown } from "mdast-util-from-markdown";
import { gfmAutolinkLiteralFromMarkdown } from "mdast-util-gfm-autolink-literal";
import { gfmFootnoteFromMarkdown } from "mdast-util-gfm-footnote";
import { gfmStrikethroughFromMarkdown } from "mdast-util-gfm-strikethrough";
import { gfmTableFromMarkdown } from "mdast-util-gfm-table";
import { gfmTaskListItemFromMarkdown } from "mdast-util-gfm-task-list-item";
import { gfmFootnote } from "micromark-extension-gfm-footnote";
import { gfmTable } from "micromark-extension-gfm-table";
import { gfmTaskListItem } from "micromark-extension-gfm-task-list-item";
import { combineExtensions } from "micromark-util-combine-extensions";
import { addressSyntax } from "./addresses.js";
import { EMPHASIS } from "./emphasis.js";
import { formulaNodes, formulaSyntax } from "./formula_syntax.js";
import { Closers } from "./formulas.js";

/** @import { Construct, Effects, Extension, State, TokenizeContext } from "micromark-util-types" */
/**
 * Node of mdast, or one of this app's types: formula, formulaBlock, element, htmlText, plain.
 *
 * @typedef {{ type: string, children?: Node[], [name: string]: any }} Node
 */
/** Node with children. @typedef {Node & { children: Node[] }} Parent */
/** Labels of links and footnotes. @typedef {{ links: string[], notes: string[] }} Labels */

const { enter, exit } = gfmAutolinkLiteralFromMarkdown(); // its `transforms` ignore CJK

const GITHUB = combineExtensions([gfmFootnote(), gfmTable(), gfmTaskListItem(), EMPHASIS]);
const NODES = [
  { enter, exit },
  gfmFootnoteFromMarkdown(),
  gfmStrikethroughFromMarkdown(),
  gfmTableFromMarkdown(),
  gfmTaskListItemFromMarkdown(),
  formulaNodes,
];

const STAR = 42;
const UNDERSCORE = 95;
const MAX_MARKS = 32; // emphasis marks in a row: pairing them takes cubic time

/**
 * Tokenize a run of asterisks or underscores that is too long for emphasis as text.
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
    if (code === STAR || code === UNDERSCORE) {
      count += 1;
      effects.consume(code);
      return row;
    }
    effects.exit("data");
    return count > MAX_MARKS ? ok(code) : nok(code);
  };
  return (code) => {
    effects.enter("data");
    return row(code);
  };
}
/** @type {Construct} */
const ROW = { name: "row", tokenize: tokenizeRow };
const ROWS = { text: { [STAR]: ROW, [UNDERSCORE]: ROW } };

/**
 * Return an extension that knows link and footnote labels defined outside the text.
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

const NONE = { undecided: Infinity, isClosed: () => false }; // a text without formula blocks

/** @type {Labels} */
const NOTHING = { links: [], notes: [] };

/**
 * Parse a text into block `nodes`, mdast with positions (https://github.com/syntax-tree/mdast); from line `undecided`
 * on, they may still change. `defined` holds labels that other texts of the message define; `growing` is true if more
 * of this text may follow.
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
 * Parse a text into its blocks only.
 *
 * @param {string} text
 * @param {Labels} [defined]
 * @param {boolean} [growing]
 */
export const parse = (text, defined, growing) => read(text, defined, growing).nodes;

/**
 * Return the children of a node, none for a leaf.
 *
 * @param {Node | undefined} node
 */
export const childrenOf = (node) => node?.children ?? [];

/**
 * Yield nodes and their descendants in document order, without recursion; the content of `skipped` nodes is left out.
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
