// The HTML that is rendered: a fixed list of elements, with no attributes except the two below. Everything else stays
// text, and so does an element that is not closed in the block where it began.

import { decodeNamedCharacterReference } from "decode-named-character-reference";

/** @import { Node, Parent } from "./grammar.js" */
/** @typedef {{ name: string, closes: boolean, props: object, raw: string, text?: undefined }} Tag */
/** Tag, or the `text` between two tags. @typedef {Tag | { text: string, name?: undefined }} Piece */

const VOID = new Set(["br", "wbr"]);
const INLINE = new Set([
  ..."abbr b bdi cite code del dfn em i ins kbd mark q rp rt ruby s samp small strike strong sub sup u var".split(
    " ",
  ),
  ...VOID,
]);
/** @type {Record<string, string>} */
const ATTRIBUTE = { abbr: "title", details: "open" };
const TAG =
  /<(\/?)([a-zA-Z][a-zA-Z0-9-]*)((?:\s+[a-zA-Z_:][\w.:-]*(?:\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`]+))?)*)\s*(\/?)>/g;
const REFERENCE = /&(?:#(\d{1,7})|#x([\da-f]{1,6})|([a-z][a-z0-9]{1,31}));/gi;

/**
 * @param {string} whole
 * @param {string} [decimal]
 * @param {string} [hex]
 * @param {string} [name]
 */
function characterOf(whole, decimal, hex, name) {
  if (name) return decodeNamedCharacterReference(name) || whole;
  const code = decimal ? Number(decimal) : parseInt(hex ?? "", 16);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole;
}

/**
 * Decode the character references of an HTML text.
 *
 * @param {string} text
 */
const decoded = (text) => text.replace(REFERENCE, characterOf);

/**
 * @param {string} name
 * @param {string} attributes
 */
function propsOf(name, attributes) {
  const key = ATTRIBUTE[name];
  const match =
    key && new RegExp(`\\s${key}(?:\\s*=\\s*(?:"([^"]*)"|'([^']*)'|(\\S+)))?`, "i").exec(attributes);
  if (!match) return {};
  return key === "open" ? { open: true } : { title: decoded(match[1] ?? match[2] ?? match[3] ?? "") };
}

/**
 * Split HTML into tags, { name, closes, props, raw }, and the text between them, { text }.
 *
 * @param {string} html
 */
function piecesOf(html) {
  /** @type {Piece[]} */
  const pieces = [];
  let from = 0;
  for (const { 0: raw, 1: slash, 2: tag, 3: attributes, index } of html.matchAll(TAG)) {
    if (index > from) pieces.push({ text: html.slice(from, index) });
    const name = tag.toLowerCase();
    pieces.push({ name, closes: slash === "/", props: propsOf(name, attributes), raw });
    from = index + raw.length;
  }
  if (from < html.length) pieces.push({ text: html.slice(from) });
  return pieces;
}

/**
 * @param {string} value
 * @returns {Node}
 */
const textNode = (value) => ({ type: "text", value });

/** Tree of elements, built from tags: the nodes between an opening and a closing tag become children. */
class Tree {
  /**
   * @param {Set<string>} names
   * @param {boolean} isOpenEnded
   */
  constructor(names, isOpenEnded, asText = textNode) {
    this.names = names;
    this.isOpenEnded = isOpenEnded;
    this.asText = asText;
    /** @type {Node[]} */
    this.root = [];
    /** @type {{ node: Parent, raw: string }[]} */
    this.stack = [];
  }
  get top() {
    return this.stack.at(-1)?.node.children ?? this.root;
  }
  /** @param {Node} node */
  put(node) {
    this.top.push(node);
  }
  /** @param {Tag} tag */
  tag({ name, closes, props, raw }) {
    const known = this.names.has(name);
    if (known && VOID.has(name) && !closes) this.put({ type: "element", name, props, children: [] });
    else if (known && !VOID.has(name) && !closes)
      this.stack.push({ node: { type: "element", name, props, children: [] }, raw });
    else if (known && closes && this.stack.some(({ node }) => node.name === name)) this.close(name);
    else this.put(this.asText(raw));
  }
  /**
   * Close the open elements, up to the innermost one named `name` if given.
   *
   * @param {string} [name]
   */
  close(name) {
    for (let last, isNamed = false; !isNamed && (last = this.stack.pop());) {
      isNamed = last.node.name === name;
      if (isNamed || this.isOpenEnded) this.put(last.node);
      else this.top.push(this.asText(last.raw), ...last.node.children); // an unclosed tag is text
    }
  }
  end() {
    this.close();
    return this.root;
  }
}

/**
 * Replace the tags among a paragraph's nodes by elements; while it is `growing`, open elements count as closed.
 *
 * @param {Node[]} nodes
 */
export function withElements(nodes, growing = false) {
  if (!nodes.some(({ type }) => type === "html")) return nodes;
  const tree = new Tree(INLINE, growing);
  for (const node of nodes) {
    const [piece] = node.type === "html" ? piecesOf(node.value) : [];
    if (piece?.name) tree.tag(piece);
    else tree.put(node.type === "html" ? textNode(node.value) : node);
  }
  return tree.end();
}

/**
 * Split a block of HTML into the tags of block elements and the lines of text between them.
 *
 * @param {string} html
 */
function blockPieces(html) {
  /** @type {Node[]} */
  const found = [];
  /** @type {Node[] | null} */
  let texts = null; // of the current line
  for (const piece of piecesOf(html)) {
    if (piece.name && (SPANNING.has(piece.name) || piece.name === "hr")) {
      found.push({ type: "tag", piece });
      texts = null;
    } else {
      if (!texts) found.push({ type: "htmlText", children: (texts = []) });
      texts.push(
        piece.text === undefined ? { type: "html", value: piece.raw } : textNode(decoded(piece.text)),
      );
    }
  }
  return found.filter(({ children }) => !children || children.some(({ value }) => value.trim()));
}

const SPANNING = new Set(["details", "summary"]);
/**
 * @param {string} raw
 * @returns {Node}
 */
const line = (raw) => ({ type: "htmlText", children: [textNode(raw)] });

/**
 * Add one piece of an HTML block to the tree.
 *
 * @param {Tree} tree
 * @param {Node} each
 */
function place(tree, each) {
  const { piece } = each;
  if (!piece) tree.put(each);
  else if (piece.name === "hr") tree.put({ type: "thematicBreak" });
  else if (piece.name === "summary" && !piece.closes && tree.stack.at(-1)?.node.name !== "details")
    tree.put(line(piece.raw));
  else tree.tag(piece);
}

/**
 * Replace the tags of <details>, <summary> and <hr> among blocks by elements; an unclosed one extends to the end.
 *
 * @param {Node[]} nodes
 */
export function withDetails(nodes) {
  if (!nodes.some(({ type }) => type === "html")) return nodes;
  const tree = new Tree(SPANNING, true, line);
  for (const node of nodes) {
    if (node.type === "html") blockPieces(node.value).forEach((each) => place(tree, each));
    else tree.put(node);
  }
  return tree.end();
}
