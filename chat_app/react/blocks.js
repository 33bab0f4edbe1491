// Growing markdown, split into blocks: all but the last can no longer change and are parsed once.

import remend from "remend";
import { lexer } from "./lexer.js";

const MATH = /^ {0,3}(\$\$|\\\[)/;
const LONGEST_MATH = 5000;
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([^\n`]*)\n?/;

export class Blocks {
  constructor() {
    this.done = []; // tokens of finished blocks
    this.tail = ""; // source text of the block still being written
    this.opened = { tail: "", tokens: [] }; // what `open` last returned, and for what
    this.cost = 0; // how long that took, in milliseconds
  }

  /** Take the next piece of source text. Carriage returns mean nothing in markdown and are dropped. */
  feed(text) {
    this.tail += text.includes("\r") ? text.replaceAll("\r", "") : text;
    // Only whole lines tell where a block ends: "3" may yet become the third item of the list above.
    if (text.includes("\n") && !openFence(this.tail)) this.settle(this.tail.slice(0, this.tail.lastIndexOf("\n") + 1));
  }

  /** Move all blocks of `lines`, the beginning of the tail, but the last to those that are done. */
  settle(lines) {
    const tokens = lexer(lines).filter((token) => token.type !== "space");
    const last = tokens.length - 1;
    const math = tokens.findIndex((token) => token.type === "paragraph" && MATH.test(token.raw));
    const begun = math < 0 ? -1 : onlyPlace(lines, tokens[math].raw.trimEnd());
    // A formula that has begun holds what follows, even what looks like a block of its own.
    const open = begun >= 0 && lines.length - begun < LONGEST_MATH;
    const start = open ? begun : last > 0 ? lastBlockStart(lines, tokens[last]) : -1;
    if (start < 0) return;
    this.done = this.done.concat(tokens.slice(0, open ? math : last));
    this.tail = this.tail.slice(start);
  }

  /** The tokens of the unfinished block, its half-open markup closed for the eye. */
  open() {
    if (this.tail === this.opened.tail) return this.opened.tokens;
    const begun = performance.now();
    const fence = openFence(this.tail);
    const tokens = fence ? [fence] : lexer(remend(this.tail, { linkMode: "text-only", katex: false }));
    this.opened = { tail: this.tail, tokens: tokens.filter((token) => token.type !== "space") };
    this.cost = performance.now() - begun;
    return this.opened.tokens;
  }

  /** No more text will come: the tail is a block like any other. */
  finish() {
    if (!this.tail) return;
    this.done = this.done.concat(lexer(this.tail));
    this.tail = "";
  }
}

/**
 * The token of a code fence or a formula that has no end yet: what is in it is nothing else, whatever
 * it looks like, and parsing it again and again would cost the square of its length.
 */
function openFence(tail) {
  const math = MATH.exec(tail);
  if (math) return openMath(tail, math);
  const match = FENCE.exec(tail);
  if (!match) return null;
  const [head, marks, info] = match;
  if (!head.endsWith("\n") && head.length < tail.length) return null; // ```like this```
  const end = new RegExp(`\\n {0,3}${marks[0]}{${marks.length},}[ \\t]*(?:\\n|$)`);
  if (end.test(tail.slice(head.length - 1))) return null;
  const text = tail.slice(head.length).replace(/\n {0,3}[`~]{1,2}$|\n$/, ""); // half an end is not shown as code
  return { type: "code", raw: tail, lang: info.trim(), text, open: true };
}

function openMath(tail, [head, marks]) {
  const text = tail.slice(head.length);
  if (text.length > LONGEST_MATH) return null; // two dollars that are no formula must not hold back the rest
  return text.includes(marks === "$$" ? marks : "\\]") ? null : { type: "math-block", raw: tail, text, open: true };
}

const onlyPlace = (text, part) => (text.indexOf(part) === text.lastIndexOf(part) ? text.indexOf(part) : -1);

/** Where the last block begins in `tail`, or -1 when that is not certain (the lexer trims some blocks). */
function lastBlockStart(tail, last) {
  const raw = last.raw.trimEnd();
  const start = tail.lastIndexOf(raw);
  return start >= 0 && tail.slice(start + raw.length).trim() === "" ? start : -1;
}
