// A store whose snapshots stay the same while the underlying store is being refilled.

/**
 * Reflex's store: the tab's states by class name.
 *
 * @typedef {{
 *   getSnapshot: (name: string) => any,
 *   subscribe: (name: string, listener: () => void) => () => void,
 * }} Store
 */

const HOLD_TIMEOUT_MS = 15_000; // more than a tab needs on a busy machine to read its thread at another process

/**
 * Wrap `store` so that its snapshots stay frozen while `isReady()` is false.
 *
 * @param {Store} store
 * @param {() => boolean} isReady
 */
export function frozenStore(store, isReady) {
  /** @type {Map<string, any>} */
  const shown = new Map();
  /** @type {Set<() => void>} */
  const listeners = new Set();
  let frozen = false;
  let timedOut = false; // snapshots are passed through, ready or not
  let timer = 0;

  const update = () => {
    const ready = isReady();
    if (ready) timedOut = false;
    if (frozen && ready) release();
    else if (!ready && !frozen && !timedOut && shown.size) {
      frozen = true;
      timer = setTimeout(giveUp, HOLD_TIMEOUT_MS);
    }
  };
  const release = () => {
    clearTimeout(timer);
    frozen = false;
    for (const listener of [...listeners]) listener();
  };
  const giveUp = () => {
    timedOut = true;
    release();
  };
  return {
    ...store,
    update,
    /** @param {string} name */
    getSnapshot(name) {
      update();
      if (frozen && shown.has(name)) return shown.get(name);
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
      const unsubscribe = store.subscribe(name, listener);
      return () => {
        listeners.delete(listener);
        unsubscribe();
      };
    },
  };
}
