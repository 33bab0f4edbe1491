// Preferences, stored in this browser alone. The density is also set by a line in the page's head, before the first
// paint.

import { useSyncExternalStore } from "react";
import { isComposing, readStored, store } from "./browser.js";

/** @type {Record<string, string[]>} */
const CHOICES = { density: ["comfortable", "compact"], send: ["enter", "ctrl-enter"] };
const PREFIX = "chat:";
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * The preference of that name; the first of its choices if none was chosen, or an unknown one.
 *
 * @param {string} name
 */
function preference(name) {
  const kept = readStored("localStorage", PREFIX + name);
  return kept && CHOICES[name].includes(kept) ? kept : CHOICES[name][0];
}

function show() {
  document.documentElement.dataset.density = preference("density");
  for (const listener of listeners) listener();
}

/**
 * @param {string} name
 * @param {string} value
 */
export function setPreference(name, value) {
  if (store("localStorage", PREFIX + name, value)) show(); // what is not kept is not promised
}

/** @param {() => void} listener */
const subscribe = (listener) => {
  listeners.add(listener);
  window.addEventListener("storage", show); // another tab's choice; added twice it is there once
  return () => listeners.delete(listener);
};

/** @param {string} name */
export const usePreference = (name) =>
  useSyncExternalStore(
    subscribe,
    () => preference(name),
    () => CHOICES[name][0],
  );

/** Whether a touch keyboard is all there is: its Return breaks the line, and the button sends. */
const hasTouchKeyboard = () => window.matchMedia("(hover: none) and (pointer: coarse)").matches;

/**
 * Whether a key press sends what is written.
 *
 * @param {KeyboardEvent | React.KeyboardEvent} event
 */
export function isSend(event) {
  if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return false;
  return event.ctrlKey || event.metaKey || (preference("send") === "enter" && !hasTouchKeyboard());
}
