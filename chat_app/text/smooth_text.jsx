// A growing text, revealed at an even rate although it arrives in batches.

import { useLayoutEffect, useReducer, useRef } from "react";
import { prefersReducedMotion } from "../ui/browser.js";
import { wholeCharacters } from "./text_reveal.js";

/** @typedef {{ text: string, shown: number, rate: number, gap: number, came: number }} Shown */

const MAX_GAP = 4; // seconds between two leaps that are bridged
const FRAME = 0.25; // seconds; a tab that comes back from the background does not jump

/**
 * Take in the text of this render; returns how many characters a second to reveal.
 *
 * @param {Shown} state
 * @param {string} text
 * @param {number} charsPerSec
 * @param {number} now
 */
function take(state, text, charsPerSec, now) {
  if (text === state.text) return;
  if (!text.startsWith(state.text.slice(0, Math.floor(state.shown)))) {
    state.shown = 0; // another text
    state.gap = 0;
  } else if (state.came) {
    state.gap = Math.min(MAX_GAP, (now - state.came) / 1000);
  }
  state.came = now;
  state.text = text;
  const pending = text.length - state.shown;
  // What has come is to be shown when the next is due, and never slower than asked for.
  state.rate = state.gap ? Math.max(charsPerSec, pending / state.gap) : charsPerSec;
}

/**
 * @param {Shown} state
 * @param {number} seconds
 */
function advance(state, seconds) {
  state.shown = Math.min(state.text.length, state.shown + state.rate * Math.min(seconds, FRAME));
}

/* What is shown of the text is kept in a ref and read while rendering: `repaint` follows every change of it. */
/* eslint-disable react-hooks/refs */

/** @param {{ text?: string, charsPerSec?: number, startStreaming?: boolean }} props */
export function SmoothText({ text = "", charsPerSec = 128, startStreaming = false }) {
  const state = useRef({
    text: startStreaming ? "" : text,
    shown: startStreaming ? 0 : text.length,
    rate: charsPerSec,
    gap: 0,
    came: 0,
  });
  const [, repaint] = useReducer((n) => n + 1, 0);

  useLayoutEffect(() => {
    let last = performance.now();
    take(state.current, text, charsPerSec, last);
    if (prefersReducedMotion()) state.current.shown = text.length;
    let frame = 0;
    /** @param {number} now */
    const step = (now) => {
      advance(state.current, Math.max(0, now - last) / 1000);
      last = now;
      repaint();
      frame = state.current.shown < state.current.text.length ? requestAnimationFrame(step) : 0;
    };
    repaint();
    if (state.current.shown < text.length) frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [text, charsPerSec]);

  const known = state.current.text;
  const end = wholeCharacters(known, Math.floor(state.current.shown));
  return (
    <span className="smooth" dir="auto" data-testid="smooth-text" data-streaming={end < text.length}>
      {known.slice(0, end)}
    </span>
  );
}
