// A paragraph too long for anybody to have written: a log, a file that was pasted, the output of a program that
// ran away. Looking for markup in it takes the page for seconds; so it is shown as it is written.

import { parse } from "./grammar.js";

/** @import { Node, Parent } from "./grammar.js" */
/** @import { Seam } from "./seams.js" */

export const LONGEST = 10_000; // characters
const MOST_LINES = 1000;
const ENOUGH = 200; // characters of a line: the begin tells whether it belongs to a paragraph

/** @param {Node} node */
const isText = ({ type }) => type === "paragraph" || type === "heading";

const CONTAINERS = new Set(["blockquote", "list", "listItem", "footnoteDefinition"]);
/**
 * @param {Node} node
 * @returns {node is Parent}
 */
export const isContainer = (node) => CONTAINERS.has(node.type);

/**
 * The block without blocks in it that has a line of the text.
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
 * The lines to parse in place of `lines`: of one that is too long and belongs to a paragraph only the begin.
 *
 * @param {string[]} lines
 */
export function shortened(lines) {
  if (lines.every(({ length }) => length <= LONGEST)) return lines;
  const outline = parse(lines.map((line) => line.slice(0, ENOUGH)).join("\n"));
  /**
   * @param {string} line
   * @param {number} i
   */
  const isLong = (line, i) => line.length > LONGEST && isText(leafAt(outline, i + 1) ?? { type: "" });
  return lines.map((line, i) => (isLong(line, i) ? line.slice(0, ENOUGH) : line));
}

/** Shows the paragraphs of one block that are too long, or go on with one that is (`seam`), as they are written. */
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
    if (!goesOn && lines.length <= MOST_LINES && lines.join("\n").length <= LONGEST) return node;
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
 * Blocks read from `lines`, of which `source` was parsed, with what is too long in them as it is written.
 *
 * @param {Node[]} nodes
 * @param {string[]} lines
 * @param {string} source
 * @param {Seam} seam
 */
export function readable(nodes, lines, source, seam) {
  if (
    seam.leaf !== "text" &&
    lines.length <= MOST_LINES &&
    lines.reduce((sum, { length }) => sum + length, 0) <= LONGEST
  )
    return nodes;
  const writer = new Writer(lines, source, seam);
  return nodes.map((node, i) => writer.block(node, 0, i === 0, false));
}
