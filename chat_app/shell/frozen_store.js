// A store whose snapshots stay the same while the store behind it is being refilled.

/**
 * Reflex's store: the states of the tab, by the names of their classes.
 *
 * @typedef {{
 *   getSnapshot: (name: string) => any,
 *   subscribe: (name: string, listener: () => void) => () => void,
 * }} Store
 */

const HOLD_TIMEOUT_MS = 5000;

/**
 * A store that reads like `store`, but stands still while `isReady()` is false.
 *
 * @param {Store} store
 * @param {() => boolean} isReady
 */
export function frozenStore(store, isReady) {
  /** @type {Map<string, any>} */
  const shown = new Map();
  /** @type {Set<() => void>} */
  const listeners = new Set();
  let still = false;
  let tired = false; // waited long enough; what there is is shown, ready or not
  let timer = 0;

  const look = () => {
    const ready = isReady();
    if (ready) tired = false;
    if (still && ready) release();
    else if (!ready && !still && !tired && shown.size) {
      still = true;
      timer = setTimeout(giveUp, HOLD_TIMEOUT_MS);
    }
  };
  const release = () => {
    clearTimeout(timer);
    still = false;
    for (const listener of [...listeners]) listener();
  };
  const giveUp = () => {
    tired = true;
    release();
  };
  return {
    ...store,
    look,
    /** @param {string} name */
    getSnapshot(name) {
      look();
      if (still && shown.has(name)) return shown.get(name);
      const snapshot = store.getSnapshot(name);
      if (isReady()) shown.set(name, snapshot);
      return snapshot;
    },
    /**
     * @param {string} name
     * @param {() => void} listener
     */
    subscribe(name, listener) {
      listeners.add(listener);
      const leave = store.subscribe(name, listener);
      return () => {
        listeners.delete(listener);
        leave();
      };
    },
  };
}
