// The messages that were sent and that the server has not acknowledged. They are kept in this tab: a page
// that is loaded anew in between (the server was restarted, or brought new pages) sends them once more.
// That is safe at any time, for a message's id is its idempotency key: sent twice it is one message.

import { readValue, store } from "../ui/browser.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/** @import { FilePart } from "../files/attachment_store.js" */
/** A file on its way, and how it looks. @typedef {{ part: FilePart, size?: number, preview?: string }} SentFile */
/**
 * A message on its way: its thread, the thread in the address of the page that sends it ("" for a new chat), when it
 * was last sent, and how often again.
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

const KEPT = "chat:outbox";
const ACK_TIMEOUT_MS = 10_000;
const MAX_ACK_TIMEOUT_MS = 60_000;
/** @type {Item[]} */
const NOTHING = [];

const outbox = new SharedValue(
  readValue("sessionStorage", KEPT, NOTHING).map((item) => ({
    ...item,
    page: item.page ?? item.thread, // what was kept before a page was kept, too
    thread: item.thread || threadOf(item.id),
  })),
);

/** @param {Item[]} next */
function change(next) {
  const kept = next.map(({ id, thread, page, text, files }) => ({
    id,
    thread,
    page,
    text,
    files: (files ?? []).map(({ part, size }) => ({ part, size })),
  }));
  store("sessionStorage", KEPT, kept.length ? JSON.stringify(kept) : "");
  outbox.set(next);
}

export const useOutbox = () => useShared(outbox, NOTHING, (items) => items);

const sent = new Set(); // ids, since the page was loaded

/**
 * The thread that a message begins: one message, one thread, whoever asks and however often.
 *
 * @param {string} id
 */
export function threadOf(id) {
  return `thread_${id.slice("msg_".length)}`;
}

/**
 * Put in a message that is being sent: its id, its thread, the thread in the address of the page that sends it
 * ("" for a new chat), its text, and its files with their parts and previews.
 *
 * @param {Item} item
 */
export function post(item) {
  sent.add(item.id);
  change([...outbox.value, { ...item, sentAt: Date.now(), tries: 0 }]);
}

/**
 * Whether a message was sent from this tab since the page was loaded.
 *
 * @param {string} id
 */
export const wasSent = (id) => sent.has(id);

/**
 * Take a message out; returns it, or undefined.
 *
 * @param {string} id
 */
export function take(id) {
  const found = outbox.value.find((item) => item.id === id);
  if (found) change(outbox.value.filter((item) => item !== found));
  return found;
}

/**
 * Take a message out for good: it has arrived, and its pictures come from the server from now on.
 *
 * @param {string} id
 */
export function drop(id) {
  for (const { preview } of take(id)?.files ?? []) if (preview) URL.revokeObjectURL(preview);
}

/**
 * The page has turned to a thread: what began it has arrived, and no page of a new chat sends it once more.
 *
 * @param {string} thread
 */
export function settle(thread) {
  /** @param {Item} item */
  const left = (item) => item.thread === thread && item.page !== thread;
  if (thread && outbox.value.some(left))
    change(outbox.value.map((item) => (left(item) ? { ...item, page: thread } : item)));
}

/**
 * The messages of a page that were sent too long ago, or before it was loaded; each is asked for once a turn.
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

/** An id that sorts by time, for a message that the server has not seen yet (https://github.com/ulid/spec). */
export function messageId() {
  last = Math.max(Date.now(), last + 1);
  let time = "";
  for (let rest = last, n = 0; n < 10; n += 1, rest = Math.floor(rest / 32)) time = DIGITS[rest % 32] + time;
  return `msg_${time}${Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => DIGITS[byte % 32]).join("")}`;
}
