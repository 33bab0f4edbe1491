// Streaming Markdown, split into blocks: all but the last can no longer change and are parsed once. In the last block,
// everything before its last item, row, inner block or line of code is finished as well (seams.js).

import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import remend from "remend";
import { Cleaner } from "./text_cleaner.js";
import { parse, read } from "./grammar.js";
import { referredIn } from "./references.js";
import { bounded } from "./nesting_limit.js";
import { readable, shortened } from "./long_paragraphs.js";
import { asSpread, cutOf, graft, isAlike, isBound, lastLine, NO_SEAM } from "./seams.js";

/** @import { Node } from "./grammar.js" */
/** @import { Seam } from "./seams.js" */
/**
 * Finished part of a block: its node, the source text and the seam before the text. `labels` are those that the text
 * may refer to; null if a new definition cannot change the part.
 *
 * @typedef {{ node: Node, text: string, seam: Seam, labels: Set<string> | null }} Part
 */

const LABEL = /\[((?:\\[^]|[^\\[\]])+)\]/g;
const FENCE = /^( {0,3})(`{3,}|~{3,})[ \t]*([^\n`]*)(?:\n|$)/;
const GROWTH = 1.2; // a block without an end is parsed again once it is a fifth longer

/**
 * Return the normalized labels that a text may refer to.
 *
 * @param {string} text
 */
function labelsOf(text) {
  if (!text.includes("]")) return null;
  return new Set(
    [...text.replace(/\n[ \t>]*/g, " ").matchAll(LABEL)].map((match) => normalizeIdentifier(match[1])),
  );
}

/**
 * Return how many nodes of an incomplete text are finished.
 *
 * @param {Node[]} nodes
 * @param {number} undecided
 * @param {string} source
 */
function finishedOf(nodes, undecided, source) {
  let last = nodes.length - 1;
  while (
    last > 0 &&
    (isBound(nodes[last - 1], nodes[last], source) || nodes[last - 1].position.end.line >= undecided - 1)
  )
    last -= 1;
  return last;
}

/**
 * Create a part of a block from its node, its source text and the seam before it.
 *
 * @param {Node} node
 * @param {string} text
 * @param {Seam} seam
 * @returns {Part}
 */
function part(node, text, seam, isLeaf = false) {
  return {
    node,
    text,
    seam,
    labels: isLeaf || node.type === "definition" || node.type === "plain" ? null : labelsOf(text),
  };
}

/**
 * Join the parts of a block into one node.
 *
 * @param {Part[]} parts
 */
const join = (parts) =>
  parts.slice(1).reduce((before, { node, seam }) => graft(before, node, seam), parts[0].node);

/**
 * Create a block from its parts, with the labels of the footnotes that it refers to.
 *
 * @param {Part[]} parts
 */
const block = (parts, node = join(parts)) => ({ parts, node, labels: referredIn([node]) });

/** @type {WeakMap<Node, Node[]>} */
const definitions = new WeakMap(); // finished node -> definitions, so that each node is searched once

/**
 * @param {Node} node
 * @returns {Node[]}
 */
function definitionsOf(node) {
  if (node.type === "definition") return [node];
  if (!node.children) return [];
  const found = definitions.get(node) ?? definitionsIn(node.children);
  definitions.set(node, found);
  return node.type === "footnoteDefinition" ? [node, ...found] : found;
}

/**
 * Return all definitions of links and footnotes in `nodes`.
 *
 * @param {Node[]} nodes
 */
export const definitionsIn = (nodes) => nodes.flatMap(definitionsOf);

export class Blocks {
  /** @type {ReturnType<typeof block>[]} */
  done = []; // finished blocks; one is replaced only when a label that it refers to is defined later
  tail = ""; // the unfinished source
  /** @type {Map<string, Node>} */
  links = new Map(); // label -> definition
  /** @type {Map<string, Node>} */
  notes = new Map(); // label -> footnote
  cost = 0; // how long it took to parse what `open` returned, in milliseconds
  /** @type {Part[]} */
  #begun = []; // the finished parts of the unfinished block
  /** @type {Node | null} */
  #joined = null; // the node that these parts form
  #seam = NO_SEAM; // what the rest of the block begins with
  #cleaner = new Cleaner();
  #next = 0; // length at which the tail is parsed again
  /** @type {{ tail: string, joined: Node | null, nodes: Node[] } | null} */
  #opened = null; // the last result of `open`, and its inputs

  get #defined() {
    return { links: [...this.links.keys()], notes: [...this.notes.keys()] };
  }

  /**
   * Parse the next piece of source text.
   *
   * @param {string} text
   */
  feed(text) {
    this.#take(this.#cleaner.feed(text));
  }

  /** Finish the tail, too: no more text follows. */
  finish() {
    this.#take(this.#cleaner.end());
    this.tail = bounded(this.tail);
    if (this.tail || this.#joined) this.#settle(this.tail.length, true);
  }

  /** Return the nodes of the unfinished block, with its open markup closed for display. */
  open() {
    const joined = this.#joined;
    if (this.#opened?.tail === this.tail && this.#opened.joined === joined) return this.#opened.nodes;
    const began = performance.now();
    const nodes = this.#openNodes();
    this.#opened = { tail: this.tail, joined, nodes };
    this.cost = performance.now() - began;
    return nodes;
  }

  #openNodes() {
    const fence = this.#joined ? null : openFence(this.tail);
    if (fence) return [fence];
    const lines = (this.#seam.head + bounded(this.tail)).split("\n");
    const written = shortened(lines).join("\n");
    const source = /^(?:code|html)$/.test(this.#seam.leaf ?? "")
      ? written
      : remend(written, { linkMode: "text-only", katex: false });
    return this.#grafted(readable(parse(source, this.#defined, true), lines, source, this.#seam));
  }

  /**
   * Graft the first node onto the unfinished block; the others follow it.
   *
   * @param {Node[]} nodes
   * @returns {Node[]}
   */
  #grafted([first, ...rest]) {
    if (!first) return this.#joined ? [this.#joined] : [];
    return this.#joined ? [graft(this.#joined, first, this.#seam), ...rest] : [first, ...rest];
  }

  /**
   * Parse lines that follow `seam`; the returned `source` is the text that was actually parsed.
   *
   * @param {string[]} lines
   * @param {Seam} seam
   */
  #read(lines, seam, growing = false) {
    const source = shortened(lines).join("\n");
    const { nodes, undecided } = read(source, this.#defined, growing);
    return { nodes: readable(nodes, lines, source, seam), undecided, source };
  }

  /**
   * Return the only node of a text that follows `seam`; null if it has several.
   *
   * @param {string} text
   * @param {Seam} seam
   * @param {boolean} growing
   */
  #alone(text, seam, growing) {
    const { nodes } = this.#read((seam.head + text).split("\n"), seam, growing);
    return nodes.length === 1 ? nodes[0] : null;
  }

  /** @param {string} text */
  #take(text) {
    this.tail += text;
    if (!text.includes("\n") || this.tail.length < this.#next || (!this.#joined && openFence(this.tail)))
      return; // only whole lines show where a block ends
    while (this.#passFence());
    this.#bound();
    const before = this.tail.length;
    const end = this.tail.lastIndexOf("\n") + 1;
    if (!end) return;
    this.#settle(end, false);
    this.#next = this.tail.length === before ? before * GROWTH : 0;
  }

  /** Finish a closed code fence without parsing all of its lines. */
  #passFence() {
    const fence = this.#joined ? null : readFence(this.tail.slice(0, this.tail.lastIndexOf("\n") + 1));
    if (!fence?.end) return false;
    const [node] = parse(`${fence.head}${fence.marks}`);
    this.#keep(this.tail.slice(fence.end), [part({ ...node, value: fence.value }, "", NO_SEAM)]);
    return true;
  }

  /** Limit the nesting of the tail's whole lines, and drop leading empty ones. */
  #bound() {
    const end = this.tail.lastIndexOf("\n") + 1;
    this.tail = bounded(this.tail.slice(0, end)) + this.tail.slice(end);
    if (!this.#joined) this.tail = this.tail.replace(/^(?:[ \t]*\n)+/, "");
  }

  /**
   * Finish the blocks in the first `end` characters of the tail that can no longer change; all of them if `whole`.
   *
   * @param {number} end
   * @param {boolean} whole
   */
  #settle(end, whole) {
    const lines = (this.#seam.head + this.tail.slice(0, end)).split("\n");
    const { nodes, undecided, source } = this.#read(lines, this.#seam, !whole);
    const last = whole ? nodes.length : finishedOf(nodes, undecided, source);
    if (last < 0) return;
    // A setext heading right after a definition is reported to start on the definition's line.
    /** @param {number} i */
    const begins = (i) =>
      i < nodes.length
        ? Math.max(nodes[i].position.start.line, i ? lastLine(nodes[i - 1]) + 1 : 1)
        : lines.length + 1;
    /** @param {number} from */
    const text = (from, to = Infinity) => lines.slice(from - 1, to - 1).join("\n");
    const after = this.tail.slice(end);
    if (
      last &&
      !whole &&
      !isAlike(this.#read(lines.slice(begins(last) - 1), NO_SEAM, true).nodes, nodes.slice(last))
    )
      return;
    const seam = last ? NO_SEAM : this.#seam;
    if (last) {
      const parts = nodes
        .slice(0, last)
        .map((node, i) => part(node, text(i ? begins(i) : 1, begins(i + 1)), i ? NO_SEAM : this.#seam));
      this.#keep(text(begins(last)) + after, parts);
    }
    if (last === nodes.length - 1 && undecided === Infinity)
      this.#cut(nodes[last], lines, source, seam, last ? begins(last) : 1, after);
  }

  /**
   * Finish as much as possible of `node`, the last and unfinished one, which begins in line `from`.
   *
   * @param {Node} node
   * @param {string[]} lines
   * @param {string} source
   * @param {Seam} seam
   * @param {number} from
   * @param {string} after
   */
  #cut(node, lines, source, seam, from, after) {
    const cut = cutOf(node, lines, source, seam);
    if (!cut) return;
    const rest = lines.slice(cut.line - 1).join("\n");
    const finished = part(cut.node, lines.slice(from - 1, cut.line - 1).join("\n"), seam, cut.isLeaf);
    const alone = this.#alone(rest, cut.seam, true);
    if (!alone || !isAlike(graft(cut.node, alone, cut.seam), node)) return; // its rest depends on the text before it
    if (finished.labels && !isAlike(this.#parseAgain(finished), cut.node)) return;
    this.#begin(finished, cut.seam);
    this.tail = rest + after;
  }

  /**
   * Add a finished part of the unfinished block, whose rest follows `seam`.
   *
   * @param {Part} finished
   * @param {Seam} seam
   */
  #begin(finished, seam) {
    this.#begun = [...this.#begun, finished];
    this.#joined = this.#joined ? graft(this.#joined, finished.node, finished.seam) : finished.node;
    this.#seam = seam;
    this.#define(definitionsIn([finished.node]).filter(({ type }) => type === "definition")); // a footnote may continue
  }

  /**
   * Add finished blocks; `tail` is the source that remains.
   *
   * @param {string} tail
   * @param {Part[]} parts
   */
  #keep(tail, parts) {
    const [first, ...rest] = parts.map((each) => block([each]));
    this.done = [
      ...this.done,
      this.#joined
        ? block([...this.#begun, parts[0]], graft(this.#joined, parts[0].node, parts[0].seam))
        : first,
      ...rest,
    ];
    [this.#begun, this.#joined, this.#seam] = [[], null, NO_SEAM];
    this.tail = tail;
    this.#define(definitionsIn(this.done.slice(-parts.length).map(({ node }) => node)));
  }

  /**
   * Add definitions, and parse the finished parts that refer to a new one again.
   *
   * @param {Node[]} found
   */
  #define(found) {
    const added = new Set();
    const [links, notes] = [new Map(this.links), new Map(this.notes)];
    for (const node of found) {
      const [known, mark] = node.type === "definition" ? [links, ""] : [notes, "^"];
      const label = normalizeIdentifier(node.identifier);
      if (known.has(label)) continue;
      known.set(label, node);
      added.add(mark + label);
    }
    if (!added.size) return;
    Object.assign(this, { links, notes });
    /** @param {Part} each */
    const updated = (each) =>
      each.labels && [...each.labels].some((label) => added.has(label)) ? this.#reparsed(each) : each;
    this.done = this.done.map((one) => {
      const parts = one.parts.map(updated);
      return parts.every((each, i) => each === one.parts[i]) ? one : block(parts);
    });
    const begun = this.#begun.map(updated);
    if (begun.some((each, i) => each !== this.#begun[i])) [this.#begun, this.#joined] = [begun, join(begun)];
  }

  /** @param {Part} part */
  #parseAgain({ text, seam, node }) {
    const [parsed] = this.#read(text.split("\n"), seam).nodes;
    return asSpread(parsed, node);
  }

  /** @param {Part} each */
  #reparsed(each) {
    return { ...each, node: this.#parseAgain(each) };
  }
}

/**
 * Read a code fence at the beginning of a text: its first line, its content, and its end, if it has one.
 *
 * @param {string} text
 */
function readFence(text) {
  const match = FENCE.exec(text);
  if (!match || (match[2][0] === "`" && match[3].includes("`"))) return null;
  const [head, indent, marks, info] = match;
  if (!head.endsWith("\n")) return null;
  const end = new RegExp(`\\n {0,3}${marks[0]}{${marks.length},}[ \\t]*(?:\\n|$)`).exec(
    text.slice(head.length - 1),
  );
  // An incomplete closing fence is not shown as code.
  const lines = end
    ? text.slice(head.length, head.length - 1 + end.index)
    : text.slice(head.length).replace(/\n {0,3}[`~]{1,2}$|\n$/, "");
  const value = indent ? lines.replace(new RegExp(`^ {1,${indent.length}}`, "gm"), "") : lines;
  return { head, marks, info, value, end: end && head.length - 1 + end.index + end[0].length };
}

/**
 * Return the node of a code fence that has no end yet: everything in it is code, and parsing it again with each piece
 * would take quadratic time.
 *
 * @param {string} tail
 */
function openFence(tail) {
  const fence = readFence(tail);
  if (!fence || fence.end) return null;
  return { type: "code", lang: fence.info.trim().split(/\s/)[0] || null, value: fence.value, open: true };
}
