// A paragraph too long for anybody to have written: a log, a file that was pasted, the output of a program that
// ran away. Looking for markup in it takes the page for seconds; so it is shown as it is written.

import { parse } from "./grammar.js";

export const LONGEST = 10_000; // characters
const ENOUGH = 200; // characters of a line: the begin tells whether it belongs to a paragraph

export const isText = ({ type }) => type === "paragraph" || type === "heading";

const begins = (lines) => lines.map((line) => line.slice(0, ENOUGH)).join("\n");

/** Watches one block that is growing. */
export class Overlong {
  #begins = null; // whether it is one, as soon as that is known
  #known = 0; // up to where it is known to be

  /** Whether `text`, which begins with a block, begins with a paragraph that is too long. */
  begins(text) {
    if (text.length <= LONGEST || this.#begins !== null) return Boolean(this.#begins);
    const lines = text.slice(0, LONGEST).split("\n");
    const nodes = parse(begins(lines), undefined, true);
    this.#begins = nodes.length === 1 && isText(nodes[0]) && nodes[0].position.end.line === lines.length;
    this.#known = LONGEST - lines.at(-1).length;
    return this.#begins;
  }

  /** Where it ends within the first `end` characters of `text`, or -1 if it goes on. */
  endOf(text, end) {
    const fresh = text.slice(this.#known, end).split("\n");
    const [first] = parse(`x\n${begins(fresh)}`);
    const lines = first.position.end.line - 1;
    const over = this.#known + fresh.slice(0, lines).join("\n").length + 1;
    if (over < end) return over;
    this.#known = text.lastIndexOf("\n", end - 2) + 1; // its last line may yet be underlined
    return -1;
  }
}
