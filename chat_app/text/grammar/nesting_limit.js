// The limit of nested quotes and lists. A line that begins with a thousand of their marks, or far to the right, takes a
// parser minutes and overflows a page's stack; beyond the limit marks are text.

const DEEPEST = 20; // marks of lists and quotes in a row
const FAR = 2 * DEEPEST; // columns before such a mark

const MARK = /[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))/y;
const FAR_MARK = new RegExp(`^[ \\t]{${FAR + 1},}(?=>|(?:[-+*]|\\d{1,9}[.)])[ \\t])`, "gm");
const ROW = new RegExp(`^(?:[ \\t]*(?:>|(?:[-+*]|\\d{1,9}[.)])(?=[ \\t]))){${DEEPEST + 1}}`, "m");

/**
 * The line, with its first mark that is one too many escaped.
 *
 * @param {string} line
 */
function boundLine(line) {
  let at = 0;
  for (let marks = 0; marks < DEEPEST; marks++) {
    MARK.lastIndex = at;
    if (!MARK.test(line)) return line;
    at = MARK.lastIndex;
  }
  MARK.lastIndex = at;
  return MARK.test(line) ? line.slice(0, at) + line.slice(at).replace(/[-+*>.)]/, "\\$&") : line;
}

/**
 * Whole lines, none of which is nested deeper than a page can show.
 *
 * @param {string} lines
 */
export function bounded(lines) {
  const near = lines.replace(FAR_MARK, " ".repeat(FAR));
  return ROW.test(near) ? near.split("\n").map(boundLine).join("\n") : near;
}
