// Keeps showing the last state while a tab reconnects. The server then sends the whole state again: for a moment every
// var has its default value, and the page would be empty. This component wraps Reflex's store and freezes it until the
// thread is loaded.

import { useContext, useEffect, useMemo } from "react";
import { StateStoreContext } from "$/utils/context-registry";
import "./click_recovery.js";
import { frozenStore } from "./frozen_store.js";

/** @param {{ root: string, view: string, children: React.ReactNode }} props */
export function ReconnectGuard({ root, view, children }) {
  const store = useContext(StateStoreContext);
  const frozen = useMemo(() => {
    const isReady = () =>
      store.getSnapshot(root)?.is_hydrated_rx_state_ !== false &&
      store.getSnapshot(view)?.phase_rx_state_ !== "loading";
    return frozenStore(store, isReady);
  }, [store, root, view]);
  useEffect(() => {
    const unsubscribes = [store.subscribe(root, frozen.update), store.subscribe(view, frozen.update)];
    return () => unsubscribes.forEach((unsubscribe) => unsubscribe());
  }, [store, frozen, root, view]);
  return <StateStoreContext.Provider value={frozen}>{children}</StateStoreContext.Provider>;
}
