// Groups rows by date, in the browser's time zone.

/** @typedef {import("./thread_rows.js").Row} Row */

/**
 * Return the start of today, of yesterday, and of the days a week and a month ago.
 *
 * @param {number} now
 */
export function calendar(now) {
  const midnight = new Date(now);
  midnight.setHours(0, 0, 0, 0);
  /** @param {number} days */
  const back = (days) => new Date(midnight).setDate(midnight.getDate() - days);
  return {
    today: +midnight,
    yesterday: back(1),
    week: back(7),
    month: back(30),
    year: midnight.getFullYear(),
  };
}

/**
 * Return the group of a row: a name, or the start of a month in milliseconds.
 *
 * @param {Row} row
 * @param {ReturnType<typeof calendar>} days
 */
function groupOf(row, days) {
  if (row.pinned) return "pinned";
  const at = row.at * 1000;
  if (at >= days.today) return "today";
  if (at >= days.yesterday) return "yesterday";
  if (at >= days.week) return "week";
  if (at >= days.month) return "month";
  const date = new Date(at);
  return +new Date(date.getFullYear(), date.getMonth());
}

/**
 * Group rows without reordering them: [[group, rows], …].
 *
 * @param {Row[]} rows
 * @param {number} now
 */
export function grouped(rows, now) {
  const days = calendar(now);
  /** @type {[string | number, Row[]][]} */
  const groups = [];
  for (const row of rows) {
    const name = groupOf(row, days);
    const last = groups.at(-1);
    if (last?.[0] === name) last[1].push(row);
    else groups.push([name, [row]]);
  }
  return groups;
}

/**
 * Return the name of a month, with the year unless it is the current one.
 *
 * @param {number} first
 * @param {number} now
 * @param {string} language
 */
export function monthName(first, now, language) {
  const date = new Date(first);
  const year = date.getFullYear() === new Date(now).getFullYear() ? undefined : "numeric";
  return date.toLocaleDateString(language, { month: "long", year });
}
