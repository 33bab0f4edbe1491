// The rows of a thread list, built from the server's patches. They live as long as the page, not a component, so that
// the list is there at once after a navigation.

import { SharedValue, useShared } from "../ui/shared_value.js";

/**
 * The server's `ThreadItem`: a row of a thread list; `at` is seconds since the epoch.
 *
 * @typedef {{ id: string, title: string, at: number, pinned: boolean, tone: string, share: string }} Row
 */
/**
 * The server's `ThreadPatch`: the changes of a list since patch number `base`, or the whole list if `base` is 0.
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

/** Rows of a list; the value is the sorted rows that are shown. @extends {SharedValue<Shown>} */
class Rows extends SharedValue {
  byId = new Map();
  old = new Set(); // ids of rows that the server has not sent since the connection was lost
  wanted = 0; // the number of rows at that time

  /**
   * Apply a patch; return false if an earlier one is missing. A duplicate changes nothing. A whole list that is shorter
   * than the current one comes from a server that does not know how far the list was scrolled: the rows after it stay,
   * and `wanted` is how many to request, until the server has sent as many.
   *
   * @param {Patch} patch
   */
  apply({ base, number, rows, gone, more, limit }) {
    if (!number || number === this.value.number) return true;
    if (base && base !== this.value.number) return number < this.value.number;
    if (!base) this.startOver(rows);
    for (const row of rows) this.put(row);
    for (const id of gone) this.remove(id);
    if (!more || limit >= this.wanted) this.dropOld();
    this.show(number, more);
    return true;
  }

  /** @param {Row[]} rows */
  startOver(rows) {
    const last = rows.findLast((row) => !row.pinned);
    const behind = this.value.rows.filter((row) => last && !row.pinned && byActivity(last, row) < 0);
    this.wanted = behind.length ? this.value.rows.length : 0;
    this.byId = new Map(behind.map((row) => [row.id, row]));
    this.old = new Set(this.byId.keys());
  }

  dropOld() {
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
   * Apply a change optimistically, before the server confirms it; `null` removes the row.
   *
   * @param {string} id
   * @param {Partial<Row> | null} changes
   */
  applyOptimistic(id, changes) {
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
