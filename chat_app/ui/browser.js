// Helpers for the browser: input methods, reduced motion, late imports and storage.

/**
 * Whether a key press belongs to an input method: its Return takes a word, its Esc gives one up, and neither is ours.
 * Safari ends the composition before it tells of the key, and only the key's code says so.
 *
 * @param {KeyboardEvent | React.KeyboardEvent} event
 */
export const isComposing = (event) =>
  ("nativeEvent" in event ? event.nativeEvent : event).isComposing || event.keyCode === 229;

export const prefersReducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * A function that loads something with its first call; what was out of reach the next call tries again.
 *
 * @template T
 * @param {() => Promise<T>} load
 */
export function loadOnce(load) {
  /** @type {Promise<T | null> | null} */
  let coming = null;
  return () => (coming ??= load().catch(() => (coming = null)));
}

/** Where a text is kept: in the browser, or in this tab alone. @typedef {"localStorage" | "sessionStorage"} Storage */

/**
 * What is kept under a key; null if it is nothing, in private mode, and where there is no browser.
 *
 * @param {Storage} storage
 * @param {string} key
 */
export function readStored(storage, key) {
  try {
    return window[storage].getItem(key);
  } catch {
    return null;
  }
}

/**
 * The value that is kept under a key; `otherwise` if there is none, or it is damaged.
 *
 * @template T
 * @param {Storage} storage
 * @param {string} key
 * @param {T} otherwise
 * @returns {T}
 */
export function readValue(storage, key, otherwise) {
  try {
    const value = JSON.parse(readStored(storage, key) ?? "null");
    return value && Array.isArray(value) === Array.isArray(otherwise) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

/**
 * Keep a text under a key, or nothing if it is empty; false in private mode, or if there is no room: then it lives as
 * long as the page.
 *
 * @param {Storage} storage
 * @param {string} key
 * @param {string} text
 */
export function store(storage, key, text) {
  try {
    if (text) window[storage].setItem(key, text);
    else window[storage].removeItem(key);
    return true;
  } catch {
    return false;
  }
}
