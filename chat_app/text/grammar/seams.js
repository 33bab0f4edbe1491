// Where a streaming block can be cut, at any depth: before the last item of a list, the last block of a quote, the last
// line of code. Everything before the cut is finished; the rest is parsed alone, after a `head` of lines that recreate
// its context, and grafted on. So a long block costs no more than its last piece.

import { childrenOf } from "./grammar.js";
import { isContainer } from "./long_paragraphs.js";

/** @import { Node, Parent } from "./grammar.js" */
/** @typedef {{ head: string, stubs: boolean[], leaf: string | null }} Seam */

/**
 * What the rest of a block begins with: `head`, its lines; `stubs`, for each enclosing block whether it contains a stub
 * heading of the head; `leaf`, the type of the leaf block that continues there, or null.
 *
 * @type {Seam}
 */
export const NO_SEAM = { head: "", stubs: [], leaf: null };

/**
 * Return the last line of a block; the position of some ends at the start of the next line.
 *
 * @param {Node} node
 */
export const lastLine = ({ position: { end } }) => (end.column === 1 ? end.line - 1 : end.line);

/**
 * Return whether `node` must not be cut from the next one. A definition's title may follow on the next line and looks
 * like a paragraph until it is closed; and next to indented code, even after a blank line, micromark does not let some
 * markers begin a list.
 *
 * @param {Node} node
 * @param {Node} next
 * @param {string} source
 */
export function isBound(node, next, source) {
  if (node.type === "definition")
    return next.type !== "definition" && next.position.start.line <= node.position.end.line + 1;
  return [node, next].some(
    ({ type, position }) => type === "code" && !/[`~]/.test(source[position.start.offset]),
  );
}

const FENCE_END = /^[ \t>]*(?:`{3,}|~{3,})[ \t]*$/;
const BLANK = /^[ \t>]*$/;
const MARKER = /^(?:[-+*]|\d{1,9}[.)])([ \t]*)/;
const NOTE_MARKER = /^\[\^[^\\[\]]+\]:[ ]*/;

/**
 * Return the last child of a node that is not empty.
 *
 * @param {Parent} node
 */
const lastIn = ({ children }) => children[children.length - 1];

/** @param {Node} node */
const isOpener = ({ type }) => type === "listItem" || type === "footnoteDefinition";

class Cut {
  /**
   * @param {string[]} lines
   * @param {string} source
   * @param {Seam} seam
   */
  constructor(lines, source, seam) {
    this.lines = lines;
    this.source = source;
    this.seam = seam;
    this.known = seam.head.split("\n").length - 1;
  }

  /** @param {Node} node */
  column({ position: { start } }) {
    return start.offset - this.source.lastIndexOf("\n", start.offset - 1) - 1;
  }

  /**
   * Return a line that opens the list item or footnote again, with an empty heading in it; null if there is no such
   * line.
   *
   * @param {Node} node
   */
  stub(node) {
    const line = this.lines[node.position.start.line - 1];
    const at = this.column(node);
    const [marker, space] = (node.type === "listItem" ? MARKER : NOTE_MARKER).exec(line.slice(at)) ?? [];
    if (!marker) return null;
    if (space === undefined) return `${line.slice(0, at)}${marker}#\n`;
    if (space.length > 1 && space.includes("\t")) return null;
    const isPlain = space && space.length < 5 && line.length > at + marker.length;
    return `${line.slice(0, at)}${isPlain ? marker : `${marker.trimEnd()} `}#\n`;
  }

  /**
   * Return the seam after a cut within `path`, blocks of which each contains the next; `begin` opens the leaf that
   * continues.
   *
   * @param {Node[]} path
   * @param {{ leaf: string | null, lines: string[], line?: number }} [begin]
   * @returns {Seam | null}
   */
  seamWithin(path, begin = { leaf: null, lines: [] }) {
    let head = "";
    const starts = [...path.map((node) => isOpener(node) && node.position.start.line), begin.line];
    const opens = path.map((node, i) => isOpener(node) && !starts.includes(starts[i], i + 1));
    for (const [i, node] of path.entries()) {
      const stub = opens[i] ? this.stub(node) : "";
      if (stub === null) return null;
      head += stub;
    }
    return { head: head + begin.lines.map((line) => `${line}\n`).join(""), stubs: opens, leaf: begin.leaf };
  }

  /**
   * Return the cut before the last child of the deepest block with a finished child, or within an only leaf.
   *
   * @param {Node} node
   */
  of(node) {
    /** @type {Parent[]} */
    const path = [];
    let [at, isOld, best] = [node, true, 0];
    while (isContainer(at) && at.children.length) {
      const count = at.children.length - (isOld && this.seam.stubs[path.length] ? 1 : 0);
      path.push(at);
      if (count === 0) return null;
      const next = lastIn(at);
      if (count > 1 && !isBound(at.children[at.children.length - 2], next, this.source)) best = path.length;
      isOld &&= count === 1;
      at = next;
    }
    if (!best) return isOld ? this.within(at, path, node) : null;
    const line = lastIn(path[best - 1]).position.start.line;
    return this.result(line, without(path.slice(0, best)), this.seamWithin(path.slice(0, best)));
  }

  /**
   * @param {number} line
   * @param {Node} finished
   * @param {Seam | null} seam
   */
  result(line, finished, seam, isLeaf = false) {
    return seam && line > this.known + 1 ? { line, node: finished, seam, isLeaf } : null;
  }

  /**
   * Return the last line that is not blank, from `line` upwards.
   *
   * @param {number} line
   */
  lastNonBlank(line) {
    while (line > 1 && BLANK.test(this.lines[line - 1])) line -= 1;
    return line;
  }

  /**
   * @param {Node} leaf
   * @param {Parent[]} path
   * @param {Node} node
   */
  within(leaf, path, node) {
    const start = leaf.position.start.line;
    const end = lastLine(leaf);
    /**
     * @param {string} type
     * @param {...string} lines
     */
    const seam = (type, ...lines) =>
      this.seamWithin(path, { leaf: type, lines, line: lines.length ? start : 0 });
    const first = this.lines[start - 1];
    if (leaf.type === "table" && childrenOf(leaf).length > 1)
      return this.result(end + 1, node, seam("table", first, this.lines[start]));
    if (this.lastNonBlank(this.lines.length) > end) return null; // something follows
    if (leaf.type === "plain" && leaf.isOpen && end === this.lines.length - 1)
      return this.result(end + 1, node, seam("text", `${first.slice(0, this.column(leaf))}x`), true);
    const isFenced = leaf.type === "code" && /[`~]/.test(this.source[leaf.position.start.offset]);
    const line = this.lastNonBlank(end);
    if ((leaf.type !== "html" && leaf.type !== "code") || (isFenced && FENCE_END.test(this.lines[line - 1])))
      return null;
    const count = line - start - (isFenced ? 1 : 0);
    if (count < 1) return null;
    const value = leaf.value.split("\n").slice(0, count).join("\n");
    const opens = isFenced || leaf.type === "html" ? [first] : [];
    return this.result(line, replaced(path, { ...leaf, value }), seam(leaf.type, ...opens), true);
  }
}

/**
 * Copy the first of `path`, blocks of which each ends with the next, without the last child of the innermost one.
 *
 * @param {Parent[]} path
 * @returns {Node}
 */
function without(path) {
  const [node, ...inner] = path;
  const before = node.children.slice(0, -1);
  return { ...node, children: inner.length ? [...before, without(inner)] : before };
}

/**
 * Copy the first of `path` with `leaf` in place of the last child of the innermost one.
 *
 * @param {Parent[]} path
 * @param {Node} leaf
 * @returns {Node}
 */
function replaced(path, leaf) {
  if (!path.length) return leaf;
  const [node, ...inner] = path;
  return { ...node, children: [...node.children.slice(0, -1), replaced(inner, leaf)] };
}

/**
 * Return the cut of `node`, the last block of `lines`, of which `source` was parsed: its `line`, the finished `node`,
 * the `seam` that the rest begins with, and whether the cut is within a leaf (`isLeaf`). Null if it cannot be cut.
 *
 * @param {Node} node
 * @param {string[]} lines
 * @param {string} source
 * @param {Seam} seam
 */
export const cutOf = (node, lines, source, seam) => new Cut(lines, source, seam).of(node);

/** @type {Record<string, (before: Node, after: Node) => Node>} */
const LEAVES = {
  table: (before, after) => ({ ...before, children: [...childrenOf(before), ...childrenOf(after).slice(1)] }),
  code: (before, after) => ({ ...before, value: `${before.value}\n${after.value}` }),
  html: (before, after) => ({
    ...before,
    value: before.value + after.value.slice(after.value.indexOf("\n")),
  }),
  text: (before, after) => ({
    ...before,
    value: after.value ? `${before.value}\n${after.value}` : before.value,
  }),
};

/**
 * Join the finished part of a block and its rest, which was parsed after the head of `seam`.
 *
 * @param {Node} before
 * @param {Node} after
 * @param {Seam} seam
 * @returns {Node}
 */
export function graft(before, after, seam, level = 0) {
  if (level === seam.stubs.length) return LEAVES[seam.leaf ?? ""](before, after);
  const [old, fresh] = [childrenOf(before), childrenOf(after).slice(seam.stubs[level] ? 1 : 0)];
  const [last, next] = [old.at(-1), fresh[0]];
  const goesOn = level + 1 < seam.stubs.length || seam.leaf;
  const children =
    goesOn && last && next && last.type === next.type
      ? [...old.slice(0, -1), graft(last, next, seam, level + 1), ...fresh.slice(1)]
      : [...old, ...fresh];
  return { ...before, children, ...("spread" in before && { spread: before.spread || after.spread }) };
}

/**
 * Copy the looseness (`spread`) of `old`, which was parsed together with the text after it, to `node`.
 *
 * @param {Node} node
 * @param {Node | undefined} old
 * @returns {Node}
 */
export function asSpread(node, old) {
  if (!node || node.type !== old?.type || !isContainer(node)) return node;
  const children = [
    ...node.children.slice(0, -1),
    ...node.children.slice(-1).map((last) => asSpread(last, childrenOf(old)[node.children.length - 1])),
  ];
  return { ...node, children, ...("spread" in old && { spread: old.spread }) };
}

const OWN = [
  "type",
  "value",
  "depth",
  "spread",
  "checked",
  "lang",
  "start",
  "ordered",
  "identifier",
  "url",
  "title",
];

/**
 * Return whether two blocks, or lists of them, are equal apart from their positions.
 *
 * @param {any} a
 * @param {any} b
 * @returns {boolean}
 */
export function isAlike(a, b) {
  if (a === b) return true;
  if (Array.isArray(a)) return a.length === b?.length && a.every((each, i) => isAlike(each, b[i]));
  if (!a || !b || OWN.some((key) => a[key] !== b[key])) return false;
  return isAlike(a.children ?? [], b.children ?? []);
}
