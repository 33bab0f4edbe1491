// The direction of a block that holds others: on which side a quote has its line, a list its marks, a table its first
// column. `dir="auto"` skips elements that have a direction of their own, as paragraphs and cells have.

import { walk } from "./grammar.js";

const LETTER = /\p{L}/u;
const FROM_THE_RIGHT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * "rtl" or "ltr" as the first letter of `node` says that is in no code or formula; undefined if it has none.
 *
 * @param {import("./grammar.js").Node} node
 */
export function directionOf(node) {
  for (const next of walk([node])) {
    const letter = next.type === "text" || next.type === "plain" ? LETTER.exec(next.value) : null;
    if (letter) return FROM_THE_RIGHT.test(letter[0]) ? "rtl" : "ltr";
  }
  return undefined;
}
