// The rules by which dollars and brackets delimit a formula, as pure functions.
//
// A single dollar follows pandoc's rule (https://pandoc.org/MANUAL.html#math): no space after the opener or before the
// closer. Prices, shell variables and prose that happen to match are excluded below. \(…\) and \[…\] are escapes in
// CommonMark, but models write formulas with them.

const TEX = /[\\^_{}=+<>]/;
const WORD = /[\s(][A-Za-z]{2,}(?=[\s,.;:)!?]|$)/g; // in a formula, words are in \text{…}
const NUMBERS = /^[\d\s,.;–—-]*$/; // \[1, 2\] is a citation
const PROSE = /^\s+(?:[A-Za-z]{2,}[\s,]*)+$/; // "between $$ and $$$" is about prices
const HAS_CONTENT = /[\p{L}\p{N}]|\\[A-Za-z]/u;

/**
 * Return whether `content`, found between two single dollars, looks like prose, a price or code.
 *
 * @param {string} content
 */
function isProse(content) {
  if (content.includes('"') || content.startsWith("('")) return true;
  if (TEX.test(content)) return false;
  const words = content.match(WORD)?.length ?? 0;
  return words >= (/^\d/.test(content) ? 1 : 2);
}

/** @type {Record<string, (content: string, next: string) => boolean>} */
const RULES = {
  $: (content, next) => !/^\s|\s$/.test(content) && !/[\d{$_]/.test(next) && !isProse(content),
  $$: (content, next) => next !== "$" && !PROSE.test(content),
  "\\(": (content) => !NUMBERS.test(content),
  "\\[": (content, next) => !NUMBERS.test(content) && !/[([:]/.test(next), // \[text\](address) is an escaped link
};

/**
 * Return whether `content` between `opener` and its closer is a formula; `next` is the character after it, or "".
 *
 * @param {string} opener
 * @param {string} content
 * @param {string} next
 */
export const isFormula = (opener, content, next) => HAS_CONTENT.test(content) && RULES[opener](content, next);

/**
 * Return whether a letter may follow the closing dollar: $n$th, but not $first$last.
 *
 * @param {string} content
 */
export const takesSuffix = (content) => /^[A-Za-z]$/.test(content) || TEX.test(content);

const MAX_LINES = 100; // an opener without a closer must not hold back the rest
const CLOSER = /(\$\$|\\\])[.,;:!]?[ \t]*$/;
const BLANK = /^[ \t>]*$/;

/**
 * Search for the lines that close formula blocks. A block begins only if one of the next hundred lines closes it, or
 * if those have not arrived yet (`growing`).
 */
export class Closers {
  undecided = Infinity; // the first line whose block depends on text that has not arrived

  /**
   * @param {string} source
   * @param {boolean} growing
   */
  constructor(source, growing) {
    this.lines = source.split("\n");
    this.growing = growing;
  }

  /**
   * Return whether a block that begins in `line` is closed; if its first line has text (`begun`), the closer must come
   * before a blank line.
   *
   * @param {number} line
   * @param {string} closer
   * @param {boolean} begun
   */
  isClosed(line, closer, begun) {
    const end = Math.min(this.lines.length, line + MAX_LINES);
    for (let at = line; at < end; at++) {
      if (CLOSER.exec(this.lines[at])?.[1] === closer) return true;
      if (begun && BLANK.test(this.lines[at]) && at < this.lines.length - 1) return false;
    }
    if (!this.growing || end < this.lines.length) return false;
    this.undecided = Math.min(this.undecided, line);
    return true;
  }
}

/** @type {Record<string, string>} */
const COUNTERPART = { $: "$", $$: "$$", "\\(": "\\)", "\\[": "\\]" };

/**
 * Split a formula's source: what is typeset, whether it is a display formula, and whether it is closed.
 *
 * @param {string} raw
 */
export function readFormula(raw) {
  const opener = raw[0] === "$" && raw[1] !== "$" ? "$" : raw.slice(0, 2);
  const closer = COUNTERPART[opener];
  const rest = raw.slice(opener.length).trimEnd();
  const [, value, mark] =
    new RegExp(`^([^]*?)(?:${closer.replace(/[$\\\])]/g, "\\$&")})([.,;:!]?)$`).exec(rest) ?? [];
  if (value === undefined) return { value: rest.trim(), display: true, closed: false, raw };
  return { value: value.trim() + mark, display: opener === "$$" || opener === "\\[", closed: true, raw };
}
