// Growing markdown, split into blocks: all but the last can no longer change and are parsed once.

import { lexer } from "marked";
import remend from "remend";

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
    const last = tokens.pop();
    const start = tokens.length ? lastBlockStart(lines, last) : -1;
    if (start < 0) return;
    this.done = this.done.concat(tokens);
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

/** The code token of a fence that has no end yet; parsing it again and again would cost the square of its length. */
function openFence(tail) {
  const match = FENCE.exec(tail);
  if (!match) return null;
  const [head, marks, info] = match;
  if (!head.endsWith("\n") && head.length < tail.length) return null; // ```like this```
  const end = new RegExp(`\\n {0,3}${marks[0]}{${marks.length},}[ \\t]*(?:\\n|$)`);
  if (end.test(tail.slice(head.length - 1))) return null;
  const text = tail.slice(head.length).replace(/\n {0,3}[`~]{1,2}$|\n$/, ""); // half an end is not shown as code
  return { type: "code", raw: tail, lang: info.trim(), text, open: true };
}

/** Where the last block begins in `tail`, or -1 when that is not certain (the lexer trims some blocks). */
function lastBlockStart(tail, last) {
  const raw = last.raw.trimEnd();
  const start = tail.lastIndexOf(raw);
  return start >= 0 && tail.slice(start + raw.length).trim() === "" ? start : -1;
}
