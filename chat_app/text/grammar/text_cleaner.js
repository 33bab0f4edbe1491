// Removes from a text what is not to be parsed: terminal colour escapes, carriage returns, and marks piled up on one
// letter. https://ecma-international.org/publications-and-standards/standards/ecma-48/

const MARKS = 16; // on one letter; more are no writing, and take a browser seconds to lay out
const CONTROL = /[\u001b\u009b\r]|\p{M}{16}/u;
const ESCAPE =
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]|\u001b\][^\u0007\u001b\n]*(?:\u0007|\u001b\\)|\u001b[ -/]*[0-Z\\^-~]/g;
const BEGUN = /(?:\r|(?:\u001b(?:\[[0-?]*[ -/]*|\][^\u0007\u001b\n]*\u001b?|[ -/]*)?)|\u009b[0-?]*[ -/]*)$/;
const PILE = /(\p{M}{16})\p{M}+/gu;
const PILED = /(?<!\p{M})\p{M}+$/u; // from the first of them: tried from each it takes the square of their number
const LONGEST_ESCAPE = 2000; // characters

/** @param {string} text */
const clear = (text) =>
  text
    .replace(ESCAPE, "")
    .replace(/\r\n?/g, "\n")
    .replace(/[\u001b\u009b]/g, "");

/** Cleans a text that comes in pieces: however it is cut, the same is left. */
export class Cleaner {
  #held = ""; // an escape, or the end of a line, that is not whole yet
  #marks = 0; // with how many marks the text ends so far

  /** @param {string} text */
  feed(text) {
    const piece = this.#held + text;
    this.#held = "";
    if (!CONTROL.test(piece) && !this.#marks && !PILED.test(piece)) return piece;
    const begun = BEGUN.exec(piece);
    if (begun && begun[0].length < LONGEST_ESCAPE) this.#held = begun[0];
    return this.#thin(clear(piece.slice(0, piece.length - this.#held.length)));
  }

  /** The rest of the text, once no more comes. */
  end() {
    const rest = clear(this.#held);
    this.#held = "";
    return rest;
  }

  /** @param {string} text */
  #thin(text) {
    const first = /^\p{M}*/u.exec(text)?.[0] ?? "";
    const over = this.#marks && Math.max(0, count(first) - (MARKS - this.#marks));
    const last = PILED.exec(text)?.[0] ?? "";
    this.#marks =
      last.length === text.length ? Math.min(MARKS, this.#marks + count(last)) : Math.min(MARKS, count(last));
    const kept = over ? [...first].slice(0, count(first) - over).join("") + text.slice(first.length) : text;
    return kept.replace(PILE, "$1");
  }
}

/** @param {string} text */
const count = (text) => [...text].length;

/**
 * A whole text, cleaned.
 *
 * @param {string} text
 */
export function clean(text) {
  const cleaner = new Cleaner();
  return cleaner.feed(text) + cleaner.end();
}
