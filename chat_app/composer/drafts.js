// Drafts: unsent text, one per thread, stored in this browser. And the ids of messages that were restored to the
// composer: the server sends the last one again after every reconnection, and its text must not be inserted twice.

import { readStored, readValue, store } from "../ui/browser.js";

const DRAFT = "chat:draft:";
const LONG = 200_000; // characters; a browser gives a site about five million in all

/** @param {string} thread */
export const readDraft = (thread) =>
  readStored("sessionStorage", DRAFT + thread) ?? readStored("localStorage", DRAFT + thread) ?? "";

/**
 * @param {string} thread
 * @param {string} text
 */
export function writeDraft(thread, text) {
  const long = text.length > LONG; // kept for this tab only, so that several do not exceed the quota
  store("localStorage", DRAFT + thread, long ? "" : text);
  store("sessionStorage", DRAFT + thread, long ? text : "");
}

const RETURNED = "chat:returned";
const MAX_RETURNED = 50;

let restored = readValue("sessionStorage", RETURNED, /** @type {string[]} */ ([]));

/**
 * Return whether a message has not been restored yet, and remember it as restored.
 *
 * @param {string | undefined} id
 */
export function markRestored(id) {
  if (!id || restored.includes(id)) return false;
  restored = [...restored, id].slice(-MAX_RETURNED);
  store("sessionStorage", RETURNED, JSON.stringify(restored));
  return true;
}
