// A link to a message (/chat/THREAD#MESSAGE) leads to it, also if it stands far up: when it is not among the
// rows the server is asked for them, once, and the view moves there as soon as it is.

import { useLayoutEffect, useRef } from "react";
import { useLocation } from "react-router";

const PATIENCE_MS = 20_000;

function wanted(hash) {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return ""; // no text that anybody encoded
  }
}

/**
 * Move `box` to the message in the address; `letGo` is called before, so that nothing else moves the view.
 * `loaded` says whether rows are there at all; only then is it known that one is missing.
 */
export function useSeek(box, loaded, letGo, onSeek) {
  const { hash, key } = useLocation();
  const done = useRef("");
  const asked = useRef("");
  // In development React takes every component off and puts it on again, and what is put on goes to its end.
  useLayoutEffect(() => () => (done.current = asked.current = ""), []);
  useLayoutEffect(() => {
    const target = wanted(hash);
    const place = `${key} ${target}`;
    if (!target || done.current === place) return undefined;
    const look = () => {
      const row = box.current?.querySelector(`[data-message-id="${CSS.escape(target)}"]`);
      if (!row) return false;
      done.current = place;
      letGo();
      row.scrollIntoView({ block: "center" });
      for (const other of box.current.querySelectorAll("[data-found]")) delete other.dataset.found;
      row.dataset.found = "";
      return true;
    };
    if (look()) return undefined;
    if (loaded && asked.current !== place) {
      asked.current = place;
      letGo();
      onSeek?.(target);
    }
    const rows = new MutationObserver(() => look() && rows.disconnect());
    rows.observe(box.current, { childList: true, subtree: true });
    const timer = setTimeout(() => rows.disconnect(), PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      rows.disconnect();
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `letGo` and `onSeek` always mean the same
  }, [hash, key, loaded]);
}
