// A store that stands still while the one behind it is being filled anew.

const HOLD_TIMEOUT_MS = 5000;

/** A store that reads like `store`, but stands still while `isReady()` is false. */
export function steadyStore(store, isReady) {
  const shown = new Map();
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
    getSnapshot(name) {
      look();
      if (still && shown.has(name)) return shown.get(name);
      const snapshot = store.getSnapshot(name);
      if (isReady()) shown.set(name, snapshot);
      return snapshot;
    },
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
