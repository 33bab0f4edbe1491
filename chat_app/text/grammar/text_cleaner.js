// Removes what must not be parsed from a text: terminal escapes, carriage returns, control characters, which browsers show
// as boxes, and excess combining marks on one letter. https://ecma-international.org/publications-and-standards/standards/ecma-48/

const MAX_MARKS = 16; // on one letter; more are not writing, and take the browser seconds to lay out
const CONTROL = /[\u0001-\u0008\r\u000e-\u001f\u007f-\u009f]|\p{M}{16}/u;
const ESCAPE =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-Z\\^-~]/g;
const INCOMPLETE =
  /(?:\r|(?:\u001b(?:\[[0-?]*[ -/]*|\][^\u0007\u001b\n]*\u001b?|[ -/]*)?)|\u009b[0-?]*[ -/]*)$/;
const PILE = /(\p{M}{16})\p{M}+/gu;
const PILED = /(?<!\p{M})\p{M}+$/u; // matched from the first mark only: from each it would take quadratic time
const MAX_ESCAPE_LENGTH = 2000; // characters

/** @param {string} text */
const clear = (text) =>
  text
    .replace(ESCAPE, "")
    .replace(/\r\n?|\u0085/g, "\n")
    .replace(/[\u0001-\u0008\u000e-\u001f\u007f-\u009f]/g, "");

/** Cleaner of a text that arrives in pieces; the result does not depend on where it is split. */
export class Cleaner {
  #held = ""; // an incomplete escape or line ending
  #marks = 0; // how many marks the text ends with so far

  /** @param {string} text */
  feed(text) {
    const piece = this.#held + text;
    this.#held = "";
    if (!CONTROL.test(piece) && !this.#marks && !PILED.test(piece)) return piece;
    const incomplete = INCOMPLETE.exec(piece);
    if (incomplete && incomplete[0].length < MAX_ESCAPE_LENGTH) this.#held = incomplete[0];
    return this.#thin(clear(piece.slice(0, piece.length - this.#held.length)));
  }

  /** Return the rest of the text, once it is complete. */
  end() {
    const rest = clear(this.#held);
    this.#held = "";
    return rest;
  }

  /** @param {string} text */
  #thin(text) {
    const first = /^\p{M}*/u.exec(text)?.[0] ?? "";
    const over = this.#marks && Math.max(0, count(first) - (MAX_MARKS - this.#marks));
    const last = PILED.exec(text)?.[0] ?? "";
    this.#marks =
      last.length === text.length
        ? Math.min(MAX_MARKS, this.#marks + count(last))
        : Math.min(MAX_MARKS, count(last));
    const kept = over ? [...first].slice(0, count(first) - over).join("") + text.slice(first.length) : text;
    return kept.replace(PILE, "$1");
  }
}

/** @param {string} text */
const count = (text) => [...text].length;

/**
 * Clean a complete text.
 *
 * @param {string} text
 */
export function clean(text) {
  const cleaner = new Cleaner();
  return cleaner.feed(text) + cleaner.end();
}
