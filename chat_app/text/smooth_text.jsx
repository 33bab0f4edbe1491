// A streaming text, revealed at an even rate although it arrives in batches.

import { useLayoutEffect, useReducer, useRef } from "react";
import { prefersReducedMotion } from "../ui/browser.js";
import { wholeCharacters } from "./text_reveal.js";

/** @typedef {{ text: string, shown: number, rate: number, gap: number, arrived: number }} Shown */

const MAX_GAP = 4; // seconds between two batches that are smoothed over
const MAX_FRAME = 0.25; // seconds; a tab that returns from the background does not jump

/**
 * Accept the text of this render, and adapt the rate at which it is revealed.
 *
 * @param {Shown} state
 * @param {string} text
 * @param {number} charsPerSec
 * @param {number} now
 */
function accept(state, text, charsPerSec, now) {
  if (text === state.text) return;
  if (!text.startsWith(state.text.slice(0, Math.floor(state.shown)))) {
    state.shown = 0; // another text
    state.gap = 0;
  } else if (state.arrived) {
    state.gap = Math.min(MAX_GAP, (now - state.arrived) / 1000);
  }
  state.arrived = now;
  state.text = text;
  const pending = text.length - state.shown;
  // Show all that has arrived by the time the next batch is due, and never more slowly than `charsPerSec`.
  state.rate = state.gap ? Math.max(charsPerSec, pending / state.gap) : charsPerSec;
}

/**
 * @param {Shown} state
 * @param {number} seconds
 */
function advance(state, seconds) {
  state.shown = Math.min(state.text.length, state.shown + state.rate * Math.min(seconds, MAX_FRAME));
}

/* The visible part lives in a ref that is read while rendering: `repaint` follows every change to it. */
/* eslint-disable react-hooks/refs */

/** @param {{ text?: string, charsPerSec?: number, startStreaming?: boolean }} props */
export function SmoothText({ text = "", charsPerSec = 128, startStreaming = false }) {
  const state = useRef({
    text: startStreaming ? "" : text,
    shown: startStreaming ? 0 : text.length,
    rate: charsPerSec,
    gap: 0,
    arrived: 0,
  });
  const [, repaint] = useReducer((n) => n + 1, 0);

  useLayoutEffect(() => {
    let last = performance.now();
    accept(state.current, text, charsPerSec, last);
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
