// Helpers for the browser: input methods, reduced motion, late imports and storage.

/**
 * Return whether a key press belongs to an input method, whose Return accepts a word and whose Esc discards one.
 * Safari ends the composition before it dispatches the key event, so there only the key code shows it.
 *
 * @param {KeyboardEvent | React.KeyboardEvent} event
 */
export const isComposing = (event) =>
  ("nativeEvent" in event ? event.nativeEvent : event).isComposing || event.keyCode === 229;

export const prefersReducedMotion = () => window.matchMedia("(prefers-reduced-motion: reduce)").matches;

/**
 * Return a function that loads a module on its first call; after a failure the next call tries again.
 *
 * @template T
 * @param {() => Promise<T>} load
 */
export function loadOnce(load) {
  /** @type {Promise<T | null> | null} */
  let loading = null;
  return () => (loading ??= load().catch(() => (loading = null)));
}

/** The browser's storage, or this tab's. @typedef {"localStorage" | "sessionStorage"} Storage */

/**
 * Read the text stored under a key; null if there is none, in private mode, and on the server.
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
 * Read the JSON value stored under a key; `otherwise` if there is none or it is corrupt.
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
 * Store a text under a key, or remove the key if the text is empty. Return false in private mode or when the quota is
 * exceeded: the value then lasts only as long as the page.
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
