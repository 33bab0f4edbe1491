// The rows of a list of threads, as the server's patches make them. They live as long as the page, not as
// long as a component: after a navigation the list stands there at once.

import { useSyncExternalStore } from "react";

const EMPTY = { number: 0, more: false, rows: [] };

const byActivity = (a, b) => b.pinned - a.pinned || b.at - a.at || (a.id < b.id ? 1 : -1);

export class Rows {
  constructor() {
    this.byId = new Map();
    this.shown = EMPTY;
    this.listeners = new Set();
  }

  /** Take a patch in; false: one before it was missed. One that is known already changes nothing. */
  take({ base, number, rows, gone, more }) {
    if (!number || number === this.shown.number) return true;
    if (base && base !== this.shown.number) return number < this.shown.number;
    if (!base) this.byId.clear();
    for (const row of rows) this.byId.set(row.id, row);
    for (const id of gone) this.byId.delete(id);
    this.show(number, more);
    return true;
  }

  /** Show a change before the server has confirmed it; `null` takes the row away. */
  foresee(id, changes) {
    const row = this.byId.get(id);
    if (!row) return;
    if (changes) this.byId.set(id, { ...row, ...changes });
    else this.byId.delete(id);
    this.show(this.shown.number, this.shown.more);
  }

  show(number, more) {
    this.shown = { number, more, rows: [...this.byId.values()].sort(byActivity) };
    for (const listener of this.listeners) listener();
  }
}

const lists = new Map();

export function rowsOf(list) {
  if (!lists.has(list)) lists.set(list, new Rows());
  return lists.get(list);
}

export function useRows(list) {
  const rows = rowsOf(list);
  const subscribe = (listener) => {
    rows.listeners.add(listener);
    return () => rows.listeners.delete(listener);
  };
  return useSyncExternalStore(subscribe, () => rows.shown, () => EMPTY);
}
