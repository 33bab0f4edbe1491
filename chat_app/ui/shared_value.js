// A value outside React that components subscribe to.

import { useSyncExternalStore } from "react";

/** @template T */
export class SharedValue {
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /** @param {T} value */
  constructor(value) {
    this.value = value;
  }

  /** @param {T} value */
  set(value) {
    this.value = value;
    for (const listener of this.#listeners) listener();
  }

  /** @param {() => void} listener */
  subscribe = (listener) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

/**
 * Subscribe to a selection of a shared value; it is `first` during prerendering.
 *
 * @template T, R
 * @param {SharedValue<T>} shared
 * @param {R} first
 * @param {(value: T) => R} read
 */
export const useShared = (shared, first, read) =>
  useSyncExternalStore(
    shared.subscribe,
    () => read(shared.value),
    () => first,
  );
