// What the person has written and not yet seen arrive, kept in this browser: one draft per thread, and
// the outbox of messages that were sent and that the server has not acknowledged.

import { useSyncExternalStore } from "react";

const DRAFT = "chat:draft:";
const MAX_KEPT = 200_000; // a browser gives a site about five million characters in all

function store(key, text) {
  try {
    if (text && text.length <= MAX_KEPT) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    // private mode or full: the draft lives as long as the page
  }
}

export function readDraft(thread) {
  try {
    return localStorage.getItem(DRAFT + thread) ?? "";
  } catch {
    return "";
  }
}

export const writeDraft = (thread, text) => store(DRAFT + thread, text);

let outbox = [];
const listeners = new Set();
const NOTHING = [];

function change(next) {
  outbox = next;
  for (const listener of listeners) listener();
}

export const post = (item) => change([...outbox, item]);

/** Take a message out of the outbox; returns it, or undefined. */
export function take(id) {
  const found = outbox.find((item) => item.id === id);
  if (found) change(outbox.filter((item) => item !== found));
  return found;
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useOutbox = () => useSyncExternalStore(subscribe, () => outbox, () => NOTHING);

let last = 0;

/** An id that sorts by time, for a message that the server has not seen yet. */
export function messageId() {
  last = Math.max(Date.now(), last + 1);
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  return `msg_${last.toString(36).padStart(10, "0")}${Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("")}`;
}
