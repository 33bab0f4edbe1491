// The rules by which dollars and brackets delimit a formula, as functions of the text alone.
//
// A single dollar follows pandoc's rule (https://pandoc.org/MANUAL.html#math): what opens touches what
// follows it, what closes touches what comes before. Prices, shell variables and prose that happen to fit
// are told apart below. \(…\) and \[…\] are escapes in CommonMark and formulas in what models write.

const TEX = /[\\^_{}=+<>]/;
const WORD = /[\s(][A-Za-z]{2,}(?=[\s,.;:)!?]|$)/g; // inside a formula words stand in \text{…}
const NUMBERS = /^[\d\s,.;–—-]*$/; // \[1, 2\] is a citation
const PROSE = /^\s+(?:[A-Za-z]{2,}[\s,]*)+$/; // "between $$ and $$$" speaks of prices
const MEANS = /[\p{L}\p{N}]|\\[A-Za-z]/u;

/**
 * Whether `content`, found between two single dollars, reads like prose, a price or a program.
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
  "\\[": (content, next) => !NUMBERS.test(content) && !/[([:]/.test(next), // \[text\](address) is a link shown as source
};

/**
 * Whether `content` between `opener` and its counterpart is a formula; `next` is the character after it, or "".
 *
 * @param {string} opener
 * @param {string} content
 * @param {string} next
 */
export const isFormula = (opener, content, next) => MEANS.test(content) && RULES[opener](content, next);

/**
 * Whether a letter may follow the closing dollar: the $n$th, but not $first$last.
 *
 * @param {string} content
 */
export const takesSuffix = (content) => /^[A-Za-z]$/.test(content) || TEX.test(content);

const LONGEST = 100; // lines: dollars that nothing closes must not hold back the rest
const CLOSER = /(\$\$|\\\])[.,;:!]?[ \t]*$/;
const BLANK = /^[ \t>]*$/;

/**
 * Knows which lines of a text close a block formula. A block begins only where one of the next hundred lines closes
 * it, or while those have not come yet (`growing`).
 */
export class Closers {
  undecided = Infinity; // the first line that may yet turn out to be something else

  /**
   * @param {string} source
   * @param {boolean} growing
   */
  constructor(source, growing) {
    this.lines = source.split("\n");
    this.growing = growing;
  }

  /**
   * Whether a block that begins in a line has an end; one that has `begun` in that line has it before an empty one.
   *
   * @param {number} line
   * @param {string} closer
   * @param {boolean} begun
   */
  isClosed(line, closer, begun) {
    const end = Math.min(this.lines.length, line + LONGEST);
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
 * The parts of a formula's source: what is typeset, whether on a line of its own, and whether it has an end.
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
