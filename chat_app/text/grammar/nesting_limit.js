// The limit of nested quotes and lists. A line that begins with a thousand of their markers, or far to the right, takes
// the parser minutes and overflows the stack; beyond the limit, markers are text.

const MAX_DEPTH = 20; // markers of lists and quotes in a row
const MAX_INDENT = 2 * MAX_DEPTH; // columns before such a marker

const MARK = /[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))/y;
const FAR_MARK = new RegExp(`^[ \\t]{${MAX_INDENT + 1},}(?=>|(?:[-+*]|\\d{1,9}[.)])[ \\t])`, "gm");
const ROW = new RegExp(`^(?:[ \\t]*(?:>|(?:[-+*]|\\d{1,9}[.)])(?=[ \\t]))){${MAX_DEPTH + 1}}`, "m");

/**
 * Escape the first marker beyond the limit in a line.
 *
 * @param {string} line
 */
function boundLine(line) {
  let at = 0;
  for (let marks = 0; marks < MAX_DEPTH; marks++) {
    MARK.lastIndex = at;
    if (!MARK.test(line)) return line;
    at = MARK.lastIndex;
  }
  MARK.lastIndex = at;
  return MARK.test(line) ? line.slice(0, at) + line.slice(at).replace(/[-+*>.)]/, "\\$&") : line;
}

/**
 * Limit the nesting of whole lines.
 *
 * @param {string} lines
 */
export function bounded(lines) {
  const near = lines.replace(FAR_MARK, " ".repeat(MAX_INDENT));
  return ROW.test(near) ? near.split("\n").map(boundLine).join("\n") : near;
}
