// After a reconnection the server sends a tab its whole state anew: for a moment every var stands at
// its default, and the page would be empty before it is full again. This component stands between the
// pages and Reflex's store: until the thread has been read it goes on showing what it showed.

import { useContext, useEffect, useMemo } from "react";
import { StateStoreContext } from "$/utils/context-registry";

const PATIENCE_MS = 5000;

/** A store that reads like `store`, but stands still while `isReady()` is false. */
export function steadyStore(store, isReady) {
  const shown = new Map();
  const listeners = new Set();
  let still = false;
  let timer = 0;

  const look = () => {
    const ready = isReady();
    if (still && ready) release();
    else if (!ready && !still && shown.size) {
      still = true;
      timer = setTimeout(release, PATIENCE_MS);
    }
  };
  const release = () => {
    clearTimeout(timer);
    still = false;
    for (const listener of [...listeners]) listener();
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

export function Steady({ root, view, children }) {
  const store = useContext(StateStoreContext);
  const steady = useMemo(() => {
    const isReady = () =>
      store.getSnapshot(root)?.is_hydrated_rx_state_ !== false && store.getSnapshot(view)?.phase_rx_state_ !== "loading";
    return steadyStore(store, isReady);
  }, [store, root, view]);
  useEffect(() => {
    const leave = [store.subscribe(root, steady.look), store.subscribe(view, steady.look)];
    return () => leave.forEach((each) => each());
  }, [store, steady, root, view]);
  return <StateStoreContext.Provider value={steady}>{children}</StateStoreContext.Provider>;
}
