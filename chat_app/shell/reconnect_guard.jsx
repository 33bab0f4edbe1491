// After a reconnection the server sends a tab its whole state anew: for a moment every var stands at
// its default, and the page would be empty before it is full again. This component stands between the
// pages and Reflex's store: until the thread has been read it goes on showing what it showed.

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
    const leave = [store.subscribe(root, frozen.look), store.subscribe(view, frozen.look)];
    return () => leave.forEach((each) => each());
  }, [store, frozen, root, view]);
  return <StateStoreContext.Provider value={frozen}>{children}</StateStoreContext.Provider>;
}
