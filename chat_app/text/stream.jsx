// The text part that is streaming. The server sends `offset` + `chunk`; this component merges them, reveals each batch
// evenly over about 250 ms, and renders finished Markdown blocks exactly once. When the part is finished, `text` holds
// all of it and the rest is revealed at the same pace: nothing is typed again and nothing jumps.

import {
  useCallback,
  useContext,
  useEffectEvent,
  useLayoutEffect,
  useReducer,
  useRef,
  useSyncExternalStore,
} from "react";
import { StateStoreContext } from "$/utils/context-registry";
import { prefersReducedMotion } from "../ui/browser.js";
import { Markdown } from "./markdown.jsx";
import { Reveal } from "./text_reveal.js";

/** @typedef {{ reveal: Reveal, requestedFrom: number, previous: Run | null, isWhole: boolean }} Run */
/**
 * The props of a text, and the newest chunk of the run that `liveRun` names.
 *
 * @typedef {{
 *   run: string,
 *   text: string,
 *   live: boolean,
 *   liveRun?: string,
 *   offset?: number,
 *   chunk?: string,
 *   onGap?: (run: string, offset: number) => void,
 * }} Given
 */

const IDLE_RATIO = 3; // pause three times as long as parsing took: a very long list may use a quarter of the time

const FRAME_MS = 16;
let pressed = -Infinity; // when the user last pressed a key: the frame that shows the key does nothing else

if (typeof window !== "undefined")
  window.addEventListener("keydown", (event) => (pressed = event.timeStamp), {
    capture: true,
    passive: true,
  });

/**
 * Return whether the frame that begins at `now` shows a key press.
 *
 * @param {number} now
 */
const showsKey = (now) => now - pressed < FRAME_MS;

/* The run lives in a ref that is read while rendering: its text only grows, so a render that React discards shows the
   same, and `repaint` follows every change to it. */
/* eslint-disable react-hooks/refs */

/**
 * Return the state of a run, which lasts across renders until another run begins.
 *
 * `previous` is the run of the previous attempt, if that broke off and is retried: as long as the new text repeats the
 * old one, the old one stays visible, so that nothing is typed twice.
 *
 * @param {string} run
 * @param {Run | null} previous
 * @returns {Run}
 */
function newRun(run, previous = null) {
  return { reveal: new Reveal(run), requestedFrom: -1, previous, isWhole: false };
}

/**
 * Return whether the previous attempt's text is still shown in place of the new one.
 *
 * @param {Run} state
 */
function repeats({ reveal, previous }) {
  return (
    previous !== null &&
    previous.reveal.shown > reveal.received &&
    previous.reveal.text.startsWith(reveal.text)
  );
}

/**
 * Switch to the new attempt's text once it differs or is longer; the part that both share counts as shown.
 *
 * @param {Run} state
 */
function dropPrevious(state) {
  const { text = "", shown = 0 } = state.previous?.reveal ?? {};
  const seen = text.slice(0, shown);
  state.reveal.shown = state.reveal.text.startsWith(seen) ? seen.length : state.reveal.received;
  state.previous = null;
}

/**
 * Apply the props to `state`; return the state to continue with, a new one if the run has changed.
 *
 * @param {Run | null} state
 * @param {Given} given
 * @returns {Run}
 */
function applyProps(state, { run, text, live, liveRun, offset, chunk, onGap }) {
  const known = state?.reveal.run === run;
  let next = known ? state : newRun(run, live && state?.reveal.shown ? state : null);
  const before = next.reveal.received;
  if (!live) {
    if (!next.reveal.settle(text)) {
      next = newRun(run);
      next.reveal.settle(text);
    }
    if (next !== state) next.reveal.showAll(); // history, not streaming
  } else if (
    liveRun === run &&
    !next.reveal.merge(offset ?? 0, chunk ?? "") &&
    next.requestedFrom !== before
  ) {
    next.requestedFrom = before;
    onGap?.(run, before);
  }
  next.isWhole = !live;
  if (next.previous && !(live && repeats(next))) dropPrevious(next);
  // Text from before this page subscribed is not typed again: the first chunk holds all of it.
  if (!before || next.previous || prefersReducedMotion()) next.reveal.showAll();
  return next;
}

/** @type {Record<string, any>} */
const NOTHING = {};

/**
 * Return the newest chunk in the Reflex state named `source`; a text that is not live does not subscribe.
 *
 * @param {string} source
 * @param {boolean} live
 */
function useChunk(source, live) {
  const store = useContext(StateStoreContext);
  /** @param {() => void} listener */
  const subscribe = useCallback(
    (/** @type {() => void} */ listener) => (live ? store.subscribe(source, listener) : () => {}),
    [store, source, live],
  );
  const read = () => (live && store.getSnapshot(source)) || NOTHING;
  const {
    run_rx_state_: liveRun,
    offset_rx_state_: offset,
    chunk_rx_state_: chunk,
  } = useSyncExternalStore(subscribe, read, () => NOTHING);
  return { liveRun, offset, chunk };
}

/**
 * @param {{
 *   name: string,
 *   run: string,
 *   text: string,
 *   live: boolean,
 *   source: string,
 *   onGap?: (run: string, offset: number) => void,
 * }} props
 */
export function StreamMarkdown({ name, run, text, live, source, onGap }) {
  const { liveRun, offset, chunk } = useChunk(source, live);
  const state = useRef(/** @type {Run | null} */ (null));
  const frame = useRef(0);
  const advanced = useRef(0); // when more text was last revealed
  const costsRef = useRef(0); // how long the visible text takes to parse, in milliseconds
  const [, repaint] = useReducer((n) => n + 1, 0);
  const gap = useEffectEvent((/** @type {string} */ of, /** @type {number} */ from) => onGap?.(of, from));
  // A finished text has its full height at once: the viewport measures prepended messages before they are painted.
  if (!live) state.current ??= applyProps(null, { run, text, live });

  useLayoutEffect(() => {
    if (!state.current?.reveal.pending) advanced.current = performance.now();
    /** @type {(run: string, from: number) => void} */
    const requestText = (of, from) => gap(of, from);
    const { reveal } = (state.current = applyProps(state.current, {
      run,
      text,
      live,
      liveRun,
      offset,
      chunk,
      onGap: requestText,
    }));
    repaint();
    /** @param {number} now */
    const step = (now) => {
      frame.current = 0;
      if (!reveal.pending) return;
      frame.current = requestAnimationFrame(step);
      if (now - advanced.current < costsRef.current * IDLE_RATIO || showsKey(now)) return;
      reveal.advance(now - advanced.current);
      advanced.current = now;
      repaint();
    };
    if (reveal.pending) frame.current = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame.current);
  }, [run, text, live, liveRun, offset, chunk]);

  const reveal = (state.current?.previous ?? state.current)?.reveal;
  const writing = live || !state.current?.isWhole || state.current.reveal.pending > 0;
  return (
    <Markdown
      name={name}
      text={reveal?.text.slice(0, reveal.shown) ?? ""}
      final={!writing}
      costsRef={costsRef}
    />
  );
}
