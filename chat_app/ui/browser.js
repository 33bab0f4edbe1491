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
 * Return a function that loads a module with its first call; after a failure the next call tries again.
 *
 * @template T
 * @param {() => Promise<T>} load
 */
export function loadOnce(load) {
  /** @type {Promise<T | null> | null} */
  let coming = null;
  return () => (coming ??= load().catch(() => (coming = null)));
}

/** The browser's storage, or that of this tab alone. @typedef {"localStorage" | "sessionStorage"} Storage */

/**
 * Read the text under a key; null if there is none, in private mode, and where there is no browser.
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
 * Read the JSON value under a key; `otherwise` if there is none, or it is damaged.
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
 * Store a text under a key, or remove the key if it is empty; false in private mode, or if there is no room: then the
 * value lives as long as the page.
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
