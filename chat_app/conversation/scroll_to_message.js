// Scrolls to the message in the address (/chat/THREAD#MESSAGE). If it is not among the rows, the server is asked for
// it, and the view moves as soon as it is there. After a reload the rows of the page before are shown for a moment and
// removed again; so for some seconds a message that has gone is asked for once more.

import { useEffectEvent, useLayoutEffect, useRef } from "react";
import { useLocation } from "react-router";

const SEEK_TIMEOUT_MS = 20_000;
const RETRY_INTERVAL_MS = 1000;
const MAX_TRIES = 5; // a message that is not there at all is not asked for for ever

/** @param {string} hash */
function wanted(hash) {
  try {
    return decodeURIComponent(hash.slice(1));
  } catch {
    return ""; // no text that anybody encoded
  }
}

/**
 * @param {HTMLElement} box
 * @param {HTMLElement} row
 */
function mark(box, row) {
  for (const other of box.querySelectorAll("[data-found]")) other.removeAttribute("data-found");
  row.dataset.found = "";
}

/** @param {string} place */
const fresh = (place) => ({
  place,
  found: false,
  asked: 0,
  askedAt: -RETRY_INTERVAL_MS,
  until: performance.now() + SEEK_TIMEOUT_MS,
});

/**
 * Look whether the message is there, and do what that asks for.
 *
 * @param {ReturnType<typeof fresh>} search
 * @param {HTMLElement} box
 * @param {string} target
 * @param {boolean} loaded
 * @param {{ letGo: () => void, onSeek: (target: string) => void }} actions
 */
function look(search, box, target, loaded, { letGo, onSeek }) {
  const now = performance.now();
  /** @type {HTMLElement | null} */
  const row = box.querySelector(`[data-message-id="${CSS.escape(target)}"]`);
  if (row && !search.found) {
    search.found = true;
    letGo();
    row.scrollIntoView({ block: "center" });
    mark(box, row);
  } else if (!row && loaded && search.asked < MAX_TRIES && now - search.askedAt >= RETRY_INTERVAL_MS) {
    Object.assign(search, { found: false, asked: search.asked + 1, askedAt: now });
    letGo();
    onSeek(target);
  }
  return now < search.until;
}

/**
 * Move `box` to the message in the address; `letGo` is called before, so that nothing else moves the view.
 * `loaded` says whether rows are there at all; only then is it known that one is missing.
 *
 * @param {React.RefObject<HTMLElement | null>} box
 * @param {boolean} loaded
 * @param {() => void} letGo
 * @param {(messageId: string) => void} [onSeek]
 */
export function useScrollToMessage(box, loaded, letGo, onSeek) {
  const { hash, key } = useLocation();
  const search = useRef(fresh(""));
  const hold = useEffectEvent(letGo);
  const seek = useEffectEvent((/** @type {string} */ target) => onSeek?.(target));
  // In development React takes every component off and puts it on again, and what is put on goes to its end.
  useLayoutEffect(() => () => void (search.current = fresh("")), []);
  useLayoutEffect(() => {
    const { current: el } = box;
    if (!el) return undefined;
    const target = wanted(hash);
    const place = `${key} ${target}`;
    if (search.current.place !== place) search.current = fresh(place);
    const actions = { letGo: () => hold(), onSeek: (/** @type {string} */ lost) => seek(lost) };
    const again = () => look(search.current, el, target, loaded, actions) || stop();
    const rows = new MutationObserver(() => again());
    const timer = setInterval(() => again(), RETRY_INTERVAL_MS);
    const stop = () => {
      clearInterval(timer);
      rows.disconnect();
    };
    if (!target || performance.now() > search.current.until) stop();
    else if (again() !== undefined) rows.observe(el, { childList: true, subtree: true });
    return stop;
  }, [box, hash, key, loaded]);
}
