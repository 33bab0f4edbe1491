// Sent messages that the server has not acknowledged. They are stored in this tab, so that the page resends them after
// a reload (the server was restarted, or deployed new pages). That is safe at any time, because a message's id is its
// idempotency key: sent twice, it is one message.

import { readValue, store } from "../ui/browser.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/** @import { FilePart } from "../files/attachment_store.js" */
/** File of a pending message. @typedef {{ part: FilePart, size?: number, preview?: string }} SentFile */
/**
 * Pending message: its thread, the thread in the address of the page that sends it ("" for a new chat), when it was
 * last sent, and how often it was resent.
 *
 * @typedef {{
 *   id: string,
 *   thread: string,
 *   page: string,
 *   text: string,
 *   files?: SentFile[],
 *   sentAt?: number,
 *   tries?: number,
 * }} Item
 */

const STORAGE_KEY = "chat:outbox";
const ACK_TIMEOUT_MS = 10_000;
const MAX_ACK_TIMEOUT_MS = 60_000;
/** @type {Item[]} */
const NOTHING = [];

const outbox = new SharedValue(
  readValue("sessionStorage", STORAGE_KEY, NOTHING).map((item) => ({
    ...item,
    page: item.page ?? item.thread, // an item stored before `page` existed
    thread: item.thread || createdThreadId(item.id),
  })),
);

/** @param {Item[]} next */
function change(next) {
  const stored = next.map(({ id, thread, page, text, files }) => ({
    id,
    thread,
    page,
    text,
    files: (files ?? []).map(({ part, size }) => ({ part, size })),
  }));
  store("sessionStorage", STORAGE_KEY, stored.length ? JSON.stringify(stored) : "");
  outbox.set(next);
}

export const useOutbox = () => useShared(outbox, NOTHING, (items) => items);

const sent = new Set(); // ids, since the page was loaded

/**
 * Return the id of the thread that a message starts; the same message always starts the same thread.
 *
 * @param {string} id
 */
export function createdThreadId(id) {
  return `thread_${id.slice("msg_".length)}`;
}

/**
 * Add a message that is being sent.
 *
 * @param {Item} item
 */
export function addPending(item) {
  sent.add(item.id);
  change([...outbox.value, { ...item, sentAt: Date.now(), tries: 0 }]);
}

/**
 * Return whether this tab has sent a message since the page was loaded.
 *
 * @param {string} id
 */
export const wasSent = (id) => sent.has(id);

/**
 * Remove a message and return it; undefined if there is none.
 *
 * @param {string} id
 */
export function removePending(id) {
  const found = outbox.value.find((item) => item.id === id);
  if (found) change(outbox.value.filter((item) => item !== found));
  return found;
}

/**
 * Remove a message that has arrived, and its previews: the server has the pictures now.
 *
 * @param {string} id
 */
export function acknowledge(id) {
  for (const { preview } of removePending(id)?.files ?? []) if (preview) URL.revokeObjectURL(preview);
}

/**
 * Assign the pending messages of a thread to its own page, so that no new-chat page resends them: the page has
 * navigated to the thread.
 *
 * @param {string} thread
 */
export function assignToPage(thread) {
  /** @param {Item} item */
  const isElsewhere = (item) => item.thread === thread && item.page !== thread;
  if (thread && outbox.value.some(isElsewhere))
    change(outbox.value.map((item) => (isElsewhere(item) ? { ...item, page: thread } : item)));
}

/**
 * Return the messages of a page whose acknowledgement is overdue, and those sent before it was loaded; their timeout
 * starts again.
 *
 * @param {string} page
 */
export function overdue(page) {
  const now = Date.now();
  /** @param {Item} item */
  const due = (item) =>
    item.page === page &&
    now - (item.sentAt ?? 0) >= Math.min(MAX_ACK_TIMEOUT_MS, ACK_TIMEOUT_MS * 2 ** (item.tries ?? 0));
  const found = outbox.value.filter(due);
  if (found.length)
    outbox.value = outbox.value.map((item) =>
      found.includes(item) ? { ...item, sentAt: now, tries: (item.tries ?? 0) + 1 } : item,
    );
  return found;
}

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
let last = 0;

/** Return a new message id that sorts by time (https://github.com/ulid/spec). */
export function messageId() {
  last = Math.max(Date.now(), last + 1);
  let time = "";
  for (let rest = last, n = 0; n < 10; n += 1, rest = Math.floor(rest / 32)) time = DIGITS[rest % 32] + time;
  return `msg_${time}${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => DIGITS[byte % 32]).join("")}`;
}
