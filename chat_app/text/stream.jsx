// The text part that is being written. The server sends `offset` + `chunk`; this component merges them,
// shows what has arrived evenly over about 250 ms, and renders finished markdown blocks exactly once.
// When the part is finished `text` holds all of it and the rest is shown at the same pace: nothing is
// re-typed and nothing jumps.

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

/** @typedef {{ reveal: Reveal, asked: number, lost: Run | null, isWhole: boolean }} Run */
/**
 * The props of a text, and the newest piece of the `feed`, another name of a run.
 *
 * @typedef {{
 *   run: string,
 *   text: string,
 *   live: boolean,
 *   feed?: string,
 *   offset?: number,
 *   chunk?: string,
 *   onGap?: (run: string, have: number) => void,
 * }} Given
 */

const RESTRAINT = 3; // a very long list takes long to parse: it may take a quarter of the time, not all of it

const FRAME_MS = 16;
let pressed = -Infinity; // when the person last pressed a key: the frame that shows it is left to it

if (typeof window !== "undefined")
  window.addEventListener("keydown", (event) => (pressed = event.timeStamp), {
    capture: true,
    passive: true,
  });

/**
 * Whether the frame that begins at `now` is the one in which a key is shown.
 *
 * @param {number} now
 */
const showsKey = (now) => now - pressed < FRAME_MS;

/* The reader of a text that only grows is kept in a ref and read while rendering: a render that React throws away
   shows nothing else, and `repaint` follows every change of it. */
/* eslint-disable react-hooks/refs */

/**
 * The text of one run, received and shown; kept across renders, replaced when another run begins.
 *
 * `lost` is the run before, when an attempt broke off and is made again: as long as the new text says
 * the same, the old one stays, so that what has been read is not typed once more.
 *
 * @param {string} run
 * @param {Run | null} lost
 * @returns {Run}
 */
function fresh(run, lost = null) {
  return { reveal: new Reveal(run), asked: -1, lost, isWhole: false };
}

/**
 * Whether the text of the attempt before still stands for the new one.
 *
 * @param {Run} state
 */
function repeats({ reveal, lost }) {
  return lost !== null && lost.reveal.shown > reveal.have && lost.reveal.text.startsWith(reveal.text);
}

/**
 * The new text says something else, or more: what was read of the old one counts as read.
 *
 * @param {Run} state
 */
function letGo(state) {
  const { text = "", shown = 0 } = state.lost?.reveal ?? {};
  const seen = text.slice(0, shown);
  state.reveal.shown = state.reveal.text.startsWith(seen) ? seen.length : state.reveal.have;
  state.lost = null;
}

/**
 * Bring `state` up to what the props say; returns the state to go on with.
 *
 * @param {Run | null} state
 * @param {Given} given
 * @returns {Run}
 */
function take(state, { run, text, live, feed, offset, chunk, onGap }) {
  const known = state?.reveal.run === run;
  let next = known ? state : fresh(run, live && state?.reveal.shown ? state : null);
  const had = next.reveal.have;
  if (!live) {
    if (!next.reveal.settle(text)) {
      next = fresh(run);
      next.reveal.settle(text);
    }
    if (next !== state) next.reveal.showAll(); // history, not writing
  } else if (feed === run && !next.reveal.merge(offset ?? 0, chunk ?? "") && next.asked !== had) {
    next.asked = had;
    onGap?.(run, had);
  }
  next.isWhole = !live;
  if (next.lost && !(live && repeats(next))) letGo(next);
  // What was there before us is not typed again: the first piece holds all of it.
  if (!had || next.lost || prefersReducedMotion()) next.reveal.showAll();
  return next;
}

/** @type {Record<string, any>} */
const NOTHING = {};

/**
 * The newest piece that the server sent into the state of that name; what is not live does not look.
 *
 * @param {string} source
 * @param {boolean} live
 */
function usePiece(source, live) {
  const store = useContext(StateStoreContext);
  /** @param {() => void} listener */
  const subscribe = useCallback(
    (/** @type {() => void} */ listener) => (live ? store.subscribe(source, listener) : () => {}),
    [store, source, live],
  );
  const read = () => (live && store.getSnapshot(source)) || NOTHING;
  const {
    run_rx_state_: feed,
    offset_rx_state_: offset,
    chunk_rx_state_: chunk,
  } = useSyncExternalStore(subscribe, read, () => NOTHING);
  return { feed, offset, chunk };
}

/**
 * @param {{
 *   name: string,
 *   run: string,
 *   text: string,
 *   live: boolean,
 *   source: string,
 *   onGap?: (run: string, have: number) => void,
 * }} props
 */
export function StreamMarkdown({ name, run, text, live, source, onGap }) {
  const { feed, offset, chunk } = usePiece(source, live);
  const state = useRef(/** @type {Run | null} */ (null));
  const frame = useRef(0);
  const advanced = useRef(0); // when more was last shown
  const costsRef = useRef(0); // how long the text that is shown takes to parse, in milliseconds
  const [, repaint] = useReducer((n) => n + 1, 0);
  const gap = useEffectEvent((/** @type {string} */ of, /** @type {number} */ have) => onGap?.(of, have));
  // A finished text has its height at once: the viewport measures what is put in above before it is painted.
  if (!live) state.current ??= take(null, { run, text, live });

  useLayoutEffect(() => {
    if (!state.current?.reveal.pending) advanced.current = performance.now();
    /** @type {(run: string, have: number) => void} */
    const onLost = (of, have) => gap(of, have);
    const { reveal } = (state.current = take(state.current, {
      run,
      text,
      live,
      feed,
      offset,
      chunk,
      onGap: onLost,
    }));
    repaint();
    /** @param {number} now */
    const step = (now) => {
      frame.current = 0;
      if (!reveal.pending) return;
      frame.current = requestAnimationFrame(step);
      if (now - advanced.current < costsRef.current * RESTRAINT || showsKey(now)) return;
      reveal.advance(now - advanced.current);
      advanced.current = now;
      repaint();
    };
    if (reveal.pending) frame.current = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame.current);
  }, [run, text, live, feed, offset, chunk]);

  const reveal = (state.current?.lost ?? state.current)?.reveal;
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
