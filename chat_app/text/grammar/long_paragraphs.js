// A paragraph too long to be prose: a log, a pasted file, runaway output of a program. Parsing its markup would block
// the page for seconds, so it is shown as plain text.

import { parse } from "./grammar.js";

/** @import { Node, Parent } from "./grammar.js" */
/** @import { Seam } from "./seams.js" */

export const LONGEST = 10_000; // characters
const MAX_LINES = 1000;
const OUTLINE_LENGTH = 200; // characters of a line that show whether it belongs to a paragraph

/** @param {Node} node */
const isText = ({ type }) => type === "paragraph" || type === "heading";

const CONTAINERS = new Set(["blockquote", "list", "listItem", "footnoteDefinition"]);
/**
 * @param {Node} node
 * @returns {node is Parent}
 */
export const isContainer = (node) => CONTAINERS.has(node.type);

/**
 * Return the innermost block that contains a line of the text.
 *
 * @param {Node[]} nodes
 * @param {number} line
 * @returns {Node | undefined}
 */
function leafAt(nodes, line) {
  const found = nodes.find(({ position: { start, end } }) => start.line <= line && line <= end.line);
  return found && isContainer(found) ? leafAt(found.children, line) : found;
}

/**
 * Return the lines to parse in place of `lines`: an overlong line of a paragraph is cut to its beginning.
 *
 * @param {string[]} lines
 */
export function shortened(lines) {
  if (lines.every(({ length }) => length <= LONGEST)) return lines;
  const outline = parse(lines.map((line) => line.slice(0, OUTLINE_LENGTH)).join("\n"));
  /**
   * @param {string} line
   * @param {number} i
   */
  const isLong = (line, i) => line.length > LONGEST && isText(leafAt(outline, i + 1) ?? { type: "" });
  return lines.map((line, i) => (isLong(line, i) ? line.slice(0, OUTLINE_LENGTH) : line));
}

/** Converter of a block's overlong paragraphs, and of one that continues an overlong one (`seam`), to plain nodes. */
class Writer {
  /**
   * @param {string[]} lines
   * @param {string} source
   * @param {Seam} seam
   */
  constructor(lines, source, { stubs, leaf }) {
    this.lines = lines;
    this.source = source;
    this.stubs = stubs;
    this.leaf = leaf;
  }

  /**
   * @param {Node} node
   * @param {number} level
   * @param {boolean} isOld
   * @param {boolean} isQuoted
   * @returns {Node}
   */
  block(node, level, isOld, isQuoted) {
    if (isText(node))
      return this.text(node, isOld && this.leaf === "text" && level === this.stubs.length, isQuoted);
    if (!isContainer(node)) return node;
    const first = this.stubs[level] ? 1 : 0;
    const within = isQuoted || node.type === "blockquote";
    const children = node.children.map((child, i) =>
      this.block(child, level + 1, isOld && i === first, within),
    );
    return children.every((child, i) => child === node.children[i]) ? node : { ...node, children };
  }

  /**
   * @param {Node} node
   * @param {boolean} goesOn
   * @param {boolean} isQuoted
   */
  text(node, goesOn, isQuoted) {
    const { start, end } = node.position;
    const from = this.source.lastIndexOf("\n", start.offset - 1) + 1;
    const lines = this.lines.slice(start.line - 1, end.line);
    if (!goesOn && lines.length <= MAX_LINES && lines.join("\n").length <= LONGEST) return node;
    const written = lines.map((line) => (isQuoted ? line.replace(/^[ \t]*(?:> ?)+/, "") : line));
    written[0] = lines[0].slice(start.offset - from);
    return {
      type: "plain",
      value: written.slice(goesOn ? 1 : 0).join("\n"),
      position: node.position,
      isOpen: node.type === "paragraph",
    };
  }
}

/**
 * Replace the overlong paragraphs of blocks by plain nodes. `lines` are the text, `source` is what of it was parsed.
 *
 * @param {Node[]} nodes
 * @param {string[]} lines
 * @param {string} source
 * @param {Seam} seam
 */
export function readable(nodes, lines, source, seam) {
  if (
    seam.leaf !== "text" &&
    lines.length <= MAX_LINES &&
    lines.reduce((sum, { length }) => sum + length, 0) <= LONGEST
  )
    return nodes;
  const writer = new Writer(lines, source, seam);
  return nodes.map((node, i) => writer.block(node, 0, i === 0, false));
}
