// Which message the person is editing. The toolbar below it begins, the bubble above it becomes the
// editor; both stand in different places of the page, so this is between them.

import { useSyncExternalStore } from "react";

let editing = "";
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * @param {string} id
 */
export function edit(id) {
  editing = id;
  for (const listener of listeners) listener();
}

/**
 * No more editing of this message; another one may be edited meanwhile.
 *
 * @param {string} id
 */
export const endEdit = (id) => editing === id && edit("");

/** @param {() => void} listener */
const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/**
 * @param {string} id
 */
export const useEditing = (id) =>
  useSyncExternalStore(
    subscribe,
    () => editing === id,
    () => false,
  );
