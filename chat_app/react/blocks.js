// Growing markdown, split into blocks: all but the last can no longer change and are parsed once. Of a
// long list or table that is last, all items but the last and all rows are finished as well.

import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import remend from "remend";
import { Cleaner } from "./clean.js";
import { parse, read } from "./grammar.js";
import { referredIn } from "./references.js";
import { bounded } from "./nesting.js";
import { isText, LONGEST, Overlong } from "./overlong.js";

const LABEL = /\[((?:\\[^]|[^\\[\]])+)\]/g;
const FENCE = /^( {0,3})(`{3,}|~{3,})[ \t]*([^\n`]*)(?:\n|$)/;
const SLACK = 1.2; // what has no end yet is looked at again when it has grown by a fifth

const lineStart = ({ position: { start } }) => start.offset - start.column + 1;

/** The labels that a text may refer to, in the form in which they are compared. */
function labelsOf(text) {
  if (!text.includes("]")) return null;
  return new Set([...text.replace(/\n[ \t>]*/g, " ").matchAll(LABEL)].map((match) => normalizeIdentifier(match[1])));
}

/**
 * Whether `node` stays with the one after it. A definition's title may follow on the next line and looks like a
 * paragraph until it is closed; and beside indented code micromark lets some marks begin no list, also after an
 * empty line.
 */
function isBound(node, next, source) {
  if (node.type === "definition") return next.position.start.line <= node.position.end.line + 1;
  return [node, next].some(({ type, position }) => type === "code" && !/[`~]/.test(source[position.start.offset]));
}

/** How many of the nodes of a text that goes on are finished. */
function finishedOf(nodes, undecided, source) {
  let last = nodes.length - 1;
  while (last > 0 && (isBound(nodes[last - 1], nodes[last], source) || nodes[last - 1].position.end.line >= undecided - 1)) last -= 1;
  return last;
}

/** A part of a block: what it was made of, and what it may refer to. */
const part = (node, text) => ({ node, text, labels: node.type === "definition" ? null : labelsOf(text) });

const plainNode = (text) => ({ type: "plain", value: text.trim() });
/** A paragraph too long for anybody to have written is shown as its source. */
const readable = (node, text) => (isText(node) && text.length > LONGEST ? plainNode(text) : node);

/** One block of its parts: a list's items, or a table's rows (every part repeats the header). */
function join(parts) {
  const nodes = parts.map((each) => each.node);
  if (nodes.length === 1) return nodes[0];
  const children = nodes.flatMap((node, i) => (i && node.type === "table" ? node.children.slice(1) : node.children));
  return { ...nodes[0], children, ...(nodes[0].type === "list" && { spread: nodes.some((node) => node.spread) }) };
}

/** A block, and the labels of the footnotes that it refers to. */
function block(parts) {
  const node = join(parts);
  return { parts, node, labels: referredIn([node]) };
}

/** Every definition of a link or a footnote in `nodes`. */
export function definitionsIn(nodes) {
  const found = [];
  for (const todo = [...nodes].reverse(); todo.length; ) {
    const node = todo.pop();
    if (node.type === "definition" || node.type === "footnoteDefinition") found.push(node);
    if (node.children) todo.push(...[...node.children].reverse());
  }
  return found;
}

export class Blocks {
  done = []; // { parts, node, labels } of finished blocks; one is replaced only where a definition it waited for has come
  begun = []; // the finished parts of the block that is being written
  head = ""; // a table's first two lines, while one is being written
  tail = ""; // the source that is not finished
  links = new Map(); // label -> definition
  notes = new Map(); // label -> footnote
  cost = 0; // how long it took to parse what `open` returned, in milliseconds
  #cleaner = new Cleaner();
  #overlong = new Overlong();
  #next = 0; // how long the tail has to be before it is worth looking at again
  #opened = null; // what `open` last returned, and for what

  get #defined() {
    return { links: [...this.links.keys()], notes: [...this.notes.keys()] };
  }

  /** Take the next piece of source text. */
  feed(text) {
    this.#take(this.#cleaner.feed(text));
  }

  /** No more text will come: the tail is finished, too. */
  finish() {
    this.#take(this.#cleaner.end());
    this.tail = bounded(this.tail);
    if (this.#overlong.begins(this.tail) && this.#passOver(this.tail.length)) this.#keep("", [part(plainNode(this.tail), "")]);
    if (this.tail || this.begun.length) this.#settle(this.tail.length, true);
  }

  /** The nodes of the block that is being written, its half-open markup closed for the eye. */
  open() {
    const { tail, begun } = this;
    if (this.#opened?.tail === tail && this.#opened.begun === begun) return this.#opened.nodes;
    const began = performance.now();
    const nodes = this.#openNodes();
    this.#opened = { tail, begun, nodes };
    this.cost = performance.now() - began;
    return nodes;
  }

  #openNodes() {
    const fence = openFence(this.tail);
    if (fence) return [fence];
    if (!this.begun.length && this.#overlong.begins(this.tail)) return [plainNode(this.tail)];
    const nodes = parse(this.head + remend(bounded(this.tail), { linkMode: "text-only", katex: false }), this.#defined, true);
    if (!this.begun.length) return nodes;
    return [join([...this.begun, ...nodes.slice(0, 1).map((node) => ({ node }))]), ...nodes.slice(1)];
  }

  #take(text) {
    this.tail += text;
    if (!text.includes("\n") || this.tail.length < this.#next || openFence(this.tail)) return; // only whole lines tell where a block ends
    while (this.#passFence());
    this.#bound();
    const before = this.tail.length;
    const end = this.tail.lastIndexOf("\n") + 1;
    if (!end || (!this.begun.length && this.#overlong.begins(this.tail) && this.#passOver(end))) return;
    this.#settle(this.tail.lastIndexOf("\n") + 1, false);
    this.#next = this.tail.length === before ? before * SLACK : 0;
  }

  /** A code fence that has ended is finished without reading all of its lines. */
  #passFence() {
    const fence = this.begun.length ? null : readFence(this.tail.slice(0, this.tail.lastIndexOf("\n") + 1));
    if (!fence?.end) return false;
    const [node] = parse(`${fence.head}${fence.marks}`);
    this.#keep(this.tail.slice(fence.end), [part({ ...node, value: fence.value }, "")]);
    return true;
  }

  /** Bound the whole lines of the tail, and forget empty ones at its beginning. */
  #bound() {
    const end = this.tail.lastIndexOf("\n") + 1;
    this.tail = bounded(this.tail.slice(0, end)) + this.tail.slice(end);
    if (!this.begun.length) this.tail = this.tail.replace(/^(?:[ \t]*\n)+/, "");
  }

  /** Look for the end of a paragraph that is too long; whether all of the first `end` characters belong to it. */
  #passOver(end) {
    const over = this.#overlong.endOf(this.tail, end);
    if (over < 0) return true;
    const text = this.tail.slice(0, over);
    this.#keep(this.tail.slice(over), [part(plainNode(text), "")]);
    return !this.tail;
  }

  /** Finish what of the first `end` characters of the tail cannot change any more; all of them if `whole`. */
  #settle(end, whole) {
    const source = this.head + this.tail.slice(0, end);
    const { nodes, undecided } = read(source, this.#defined, !whole);
    const last = whole ? nodes.length : finishedOf(nodes, undecided, source);
    if (last < 0) return;
    // A heading underlined right after a definition is said to start where that does.
    const begins = (i) => (i < nodes.length ? Math.max(lineStart(nodes[i]), i ? nodes[i - 1].position.end.offset : 0) : source.length);
    const texts = nodes.map((_, i) => source.slice(i ? begins(i) : 0, begins(i + 1)));
    const after = this.tail.slice(end);
    if (last) {
      const rest = source.slice(begins(last));
      this.#keep(rest + after, nodes.slice(0, last).map((node, i) => part(readable(node, texts[i]), texts[i])));
    }
    if (last === nodes.length - 1 && undecided === Infinity) this.#begin(nodes[last], source, last ? begins(last) : 0, after);
  }

  /** Finish the items of a list but the last, and the rows of a table, of which `node` is the block that goes on. */
  #begin(node, source, from, after) {
    if (node.children?.length < 2 || (node.type !== "table" && node.type !== "list")) return;
    let [to, finished] = [Math.min(node.position.end.offset + 1, source.length), node]; // a blank line after a table is not its own
    if (node.type === "table") this.head ||= source.slice(from, lineStart(node.children[1]));
    else [to, finished] = [lineStart(node.children.at(-1)), { ...node, children: node.children.slice(0, -1) }];
    const fresh = part(finished, source.slice(from, to));
    this.begun = [...this.begun, fresh];
    this.tail = source.slice(to) + after;
    this.#define([fresh]);
  }

  /** Add finished blocks; `tail` is left. */
  #keep(tail, parts) {
    this.done = this.done.concat(parts.map((each, i) => block(i ? [each] : [...this.begun, each])));
    this.begun = [];
    this.head = "";
    this.tail = tail;
    this.#overlong = new Overlong();
    this.#define(parts);
  }

  /** Remember what `parts` define, and read again what was finished and names it. */
  #define(parts) {
    const before = this.links.size + this.notes.size;
    const come = new Set();
    for (const node of definitionsIn(parts.map((each) => each.node))) {
      const [known, mark] = node.type === "definition" ? [this.links, ""] : [this.notes, "^"];
      const label = normalizeIdentifier(node.identifier);
      if (known.has(label)) continue;
      known.set(label, node);
      come.add(mark + label);
    }
    if (this.links.size + this.notes.size === before) return;
    [this.links, this.notes] = [new Map(this.links), new Map(this.notes)];
    const again = (each) => (each.labels && [...each.labels].some((label) => come.has(label)) ? this.#reread(each) : each);
    this.done = this.done.map((one) => {
      const parts = one.parts.map(again);
      return parts.every((each, i) => each === one.parts[i]) ? one : block(parts);
    });
    this.begun = this.begun.map(again);
  }

  #reread(each) {
    const [node] = parse(each.text, this.#defined);
    return { ...each, node: node.type === "list" ? { ...node, spread: each.node.spread } : node };
  }
}

/** A code fence at the beginning of a text: its first line, what is in it, and where it ends, if it does. */
function readFence(text) {
  const match = FENCE.exec(text);
  if (!match || (match[2][0] === "`" && match[3].includes("`"))) return null;
  const [head, indent, marks, info] = match;
  if (!head.endsWith("\n")) return null;
  const end = new RegExp(`\\n {0,3}${marks[0]}{${marks.length},}[ \\t]*(?:\\n|$)`).exec(text.slice(head.length - 1));
  // Half an end is not shown as code.
  const lines = end ? text.slice(head.length, head.length - 1 + end.index) : text.slice(head.length).replace(/\n {0,3}[`~]{1,2}$|\n$/, "");
  const value = indent ? lines.replace(new RegExp(`^ {1,${indent.length}}`, "gm"), "") : lines;
  return { head, marks, info, value, end: end && head.length - 1 + end.index + end[0].length };
}

/**
 * The node of a code fence that has no end yet: what is in it is nothing else, whatever it looks like, and parsing
 * it again and again would cost the square of its length.
 */
function openFence(tail) {
  const fence = readFence(tail);
  if (!fence || fence.end) return null;
  return { type: "code", lang: fence.info.trim().split(/\s/)[0] || null, value: fence.value, open: true };
}
