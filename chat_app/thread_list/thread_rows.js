// The rows of a list of threads, as the server's patches make them. They live as long as the page, not as
// long as a component: after a navigation the list stands there at once.

import { SharedValue, useShared } from "../ui/shared_value.js";

/**
 * `ThreadItem` of the server: a row of a list of threads; `at` is seconds since the epoch.
 *
 * @typedef {{ id: string, title: string, at: number, pinned: boolean, tone: string }} Row
 */
/**
 * `ThreadPatch` of the server: what became of a list since the patch with the number `base`, or all of it without one.
 *
 * @typedef {{ base: number, number: number, rows: Row[], gone: string[], more: boolean, limit: number }} Patch
 */
/** @typedef {{ number: number, more: boolean, rows: Row[] }} Shown */

/** @type {Shown} */
const EMPTY = { number: 0, more: false, rows: [] };

/**
 * @param {Row} a
 * @param {Row} b
 */
const byActivity = (a, b) => Number(b.pinned) - Number(a.pinned) || b.at - a.at || (a.id < b.id ? 1 : -1);

/** The rows of a list; its value is what is shown of them. @extends {SharedValue<Shown>} */
class Rows extends SharedValue {
  byId = new Map();
  old = new Set(); // of these nothing was heard since the connection was lost
  wanted = 0; // how many rows there were then

  /**
   * Take a patch in; false: one before it was missed. One that is known already changes nothing. One that
   * holds everything and is shorter than the list comes from a server that does not know how far it was
   * scrolled: what stood behind stays, and is `wanted` from it, until it has sent as much.
   *
   * @param {Patch} patch
   */
  take({ base, number, rows, gone, more, limit }) {
    if (!number || number === this.value.number) return true;
    if (base && base !== this.value.number) return number < this.value.number;
    if (!base) this.begin(rows);
    for (const row of rows) this.put(row);
    for (const id of gone) this.remove(id);
    if (!more || limit >= this.wanted) this.end();
    this.show(number, more);
    return true;
  }

  /** @param {Row[]} rows */
  begin(rows) {
    const last = rows.findLast((row) => !row.pinned);
    const behind = this.value.rows.filter((row) => last && !row.pinned && byActivity(last, row) < 0);
    this.wanted = behind.length ? this.value.rows.length : 0;
    this.byId = new Map(behind.map((row) => [row.id, row]));
    this.old = new Set(this.byId.keys());
  }

  end() {
    for (const id of this.old) this.byId.delete(id);
    this.old.clear();
    this.wanted = 0;
  }

  /** @param {Row} row */
  put(row) {
    this.byId.set(row.id, row);
    this.old.delete(row.id);
  }

  /** @param {string} id */
  remove(id) {
    this.byId.delete(id);
    this.old.delete(id);
  }

  /**
   * Show a change before the server has confirmed it; `null` takes the row away.
   *
   * @param {string} id
   * @param {Partial<Row> | null} changes
   */
  foresee(id, changes) {
    const row = this.byId.get(id);
    if (!row) return;
    if (changes) this.byId.set(id, { ...row, ...changes });
    else this.byId.delete(id);
    this.show(this.value.number, this.value.more);
  }

  /**
   * @param {number} number
   * @param {boolean} more
   */
  show(number, more) {
    this.set({ number, more, rows: [...this.byId.values()].sort(byActivity) });
  }
}

/** @type {Map<string, Rows>} */
const lists = new Map();

/** @param {string} list */
export function rowsOf(list) {
  const rows = lists.get(list) ?? new Rows(EMPTY);
  lists.set(list, rows);
  return rows;
}

/** @param {string} list */
export const useRows = (list) => useShared(rowsOf(list), EMPTY, (shown) => shown);
