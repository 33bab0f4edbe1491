// The direction of a container block: the side of a quote's bar, a list's markers and a table's first column.
// `dir="auto"` cannot find it, because it skips elements with their own direction, as paragraphs and cells are.

import { walk } from "./grammar.js";

const LETTER = /\p{L}/u;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * Return "rtl" or "ltr" by the first letter of `node` outside code and formulas; undefined if there is none.
 *
 * @param {import("./grammar.js").Node} node
 */
export function directionOf(node) {
  for (const next of walk([node])) {
    const letter = next.type === "text" || next.type === "plain" ? LETTER.exec(next.value) : null;
    if (letter) return RIGHT_TO_LEFT.test(letter[0]) ? "rtl" : "ltr";
  }
  return undefined;
}
