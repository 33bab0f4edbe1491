// Preferences that are stored in this browser only. A script in the page's head also sets the density, before the
// first paint.

import { useSyncExternalStore } from "react";
import { isComposing, readStored, store } from "./browser.js";

/** @type {Record<string, string[]>} */
const CHOICES = { density: ["comfortable", "compact"], send: ["enter", "ctrl-enter"] };
const PREFIX = "chat:";
/** @type {Set<() => void>} */
const listeners = new Set();

/**
 * Return the stored choice of a preference; the first of its choices if none or an unknown one is stored.
 *
 * @param {string} name
 */
function preference(name) {
  const stored = readStored("localStorage", PREFIX + name);
  return stored && CHOICES[name].includes(stored) ? stored : CHOICES[name][0];
}

function apply() {
  document.documentElement.dataset.density = preference("density");
  for (const listener of listeners) listener();
}

/**
 * @param {string} name
 * @param {string} value
 */
export function setPreference(name, value) {
  if (store("localStorage", PREFIX + name, value)) apply(); // a choice that would be lost on reload is not shown
}

/** @param {() => void} listener */
const subscribe = (listener) => {
  listeners.add(listener);
  window.addEventListener("storage", apply); // another tab's choice; the browser ignores a duplicate
  return () => listeners.delete(listener);
};

/** @param {string} name */
export const usePreference = (name) =>
  useSyncExternalStore(
    subscribe,
    () => preference(name),
    () => CHOICES[name][0],
  );

/** Return whether there is only a touch keyboard: its Return key breaks the line, and the button sends. */
const hasTouchKeyboard = () => window.matchMedia("(hover: none) and (pointer: coarse)").matches;

/**
 * Return whether a key press sends the draft.
 *
 * @param {KeyboardEvent | React.KeyboardEvent} event
 */
export function isSend(event) {
  if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return false;
  return event.ctrlKey || event.metaKey || (preference("send") === "enter" && !hasTouchKeyboard());
}
