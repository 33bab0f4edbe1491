// Scrolls to the message in the address (/chat/THREAD#MESSAGE). If it is not loaded, the page requests it from the
// server and scrolls as soon as it arrives. After a reload, the previous rows are shown for a moment and removed again;
// so for some seconds, a message that disappears is requested again.

import { useEffectEvent, useLayoutEffect, useRef } from "react";
import { useLocation } from "react-router";

const SEEK_TIMEOUT_MS = 20_000;
const RETRY_INTERVAL_MS = 1000;
const MAX_REQUESTS = 5; // the message may not exist

/** @param {string} hash */
function targetOf(hash) {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return ""; // a malformed URI
  }
}

/**
 * @param {HTMLElement} box
 * @param {HTMLElement} row
 */
function highlight(box, row) {
  for (const other of box.querySelectorAll("[data-found]")) other.removeAttribute("data-found");
  row.dataset.found = "";
}

/** @param {string} place */
const newSearch = (place) => ({
  place,
  found: false,
  requests: 0,
  requestedAt: -RETRY_INTERVAL_MS,
  until: performance.now() + SEEK_TIMEOUT_MS,
});

/**
 * Scroll to the message if it is loaded, request it otherwise; return whether to keep looking.
 *
 * @param {ReturnType<typeof newSearch>} search
 * @param {HTMLElement} box
 * @param {string} target
 * @param {boolean} loaded
 * @param {{ onMove: () => void, onSeek: (target: string) => void }} actions
 */
function seekMessage(search, box, target, loaded, { onMove, onSeek }) {
  const now = performance.now();
  /** @type {HTMLElement | null} */
  const row = box.querySelector(`[data-message-id="${CSS.escape(target)}"]`);
  if (row && !search.found) {
    search.found = true;
    onMove();
    row.scrollIntoView({ block: "center" });
    highlight(box, row);
  } else if (
    !row &&
    loaded &&
    search.requests < MAX_REQUESTS &&
    now - search.requestedAt >= RETRY_INTERVAL_MS
  ) {
    Object.assign(search, { found: false, requests: search.requests + 1, requestedAt: now });
    onMove();
    onSeek(target);
  }
  return now < search.until;
}

/**
 * Scroll `box` to the message in the address. `onMove` is called first, so that nothing else scrolls the view. `loaded`
 * says whether the rows are loaded; before that, the message is not missing.
 *
 * @param {React.RefObject<HTMLElement | null>} box
 * @param {boolean} loaded
 * @param {() => void} onMove
 * @param {(messageId: string) => void} [onSeek]
 */
export function useScrollToMessage(box, loaded, onMove, onSeek) {
  const { hash, key } = useLocation();
  const search = useRef(newSearch(""));
  const move = useEffectEvent(onMove);
  const seek = useEffectEvent((/** @type {string} */ target) => onSeek?.(target));
  // StrictMode remounts the component with its refs, and the viewport scrolls to the end again: so search again, too.
  useLayoutEffect(() => () => void (search.current = newSearch("")), []);
  useLayoutEffect(() => {
    const { current: el } = box;
    if (!el) return undefined;
    const target = targetOf(hash);
    const place = `${key} ${target}`;
    if (search.current.place !== place) search.current = newSearch(place);
    const actions = { onMove: () => move(), onSeek: (/** @type {string} */ id) => seek(id) };
    const check = () => seekMessage(search.current, el, target, loaded, actions) || stop();
    const observer = new MutationObserver(() => check());
    const timer = setInterval(() => check(), RETRY_INTERVAL_MS);
    const stop = () => {
      clearInterval(timer);
      observer.disconnect();
    };
    if (!target || performance.now() > search.current.until) stop();
    else if (check() !== undefined) observer.observe(el, { childList: true, subtree: true });
    return stop;
  }, [box, hash, key, loaded]);
}
