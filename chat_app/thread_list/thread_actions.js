// What the menu of a thread does: each action is shown at once, and then sent to the server.

import { serverUrl } from "../files/attachment_store.js";
import { rowsOf } from "./thread_rows.js";
import { toast } from "./toast.jsx";

/** @import { Row } from "./thread_rows.js" */
/**
 * @typedef {{
 *   onRename: (threadId: string, title: string) => void,
 *   onPin: (threadId: string, pinned: boolean) => void,
 *   onArchive: (threadId: string, archived: boolean) => void,
 *   onDelete: (threadId: string) => void,
 *   onRestore: (threadId: string, open: boolean) => void,
 *   onExport: (threadId: string, names: Record<string, string>) => void,
 *   onShare: (threadId: string) => void,
 *   onUnshare: (threadId: string) => void,
 * }} ThreadEvents
 */

/**
 * Download a path of the app's server.
 *
 * @param {string} path
 */
const download = (path) =>
  Object.assign(document.createElement("a"), { href: serverUrl(path), download: "" }).click();

/**
 * Return the actions by their names in the menu, without "edit", which shows a field.
 *
 * @param {string} list Where the thread's row is: "main" or "archive".
 * @param {string} activeId
 * @param {ThreadEvents} events
 * @param {import("../i18n/words.js").Say} say
 */
export const threadActions = (list, activeId, events, say) => ({
  /** @type {(row: Row, title: string | null) => void} */
  rename(row, title) {
    const words = title?.trim().replace(/\s+/g, " ");
    if (!words || words === row.title) return;
    rowsOf(list).applyOptimistic(row.id, { title: words });
    events.onRename(row.id, words);
  },
  /** @type {(row: Row) => void} */
  pin(row) {
    rowsOf(list).applyOptimistic(row.id, { pinned: !row.pinned });
    events.onPin(row.id, !row.pinned);
  },
  /** @type {(row: Row, byKey?: boolean) => void} */
  archive(row, byKey = false) {
    rowsOf(list).applyOptimistic(row.id, null);
    events.onArchive(row.id, list !== "archive");
    const undo = () => events.onArchive(row.id, list === "archive");
    toast({ title: row.title, what: list === "archive" ? "unarchived" : "archived", undo, focus: byKey });
  },
  /** @type {(row: Row, byKey?: boolean) => void} */
  delete(row, byKey = false) {
    rowsOf(list).applyOptimistic(row.id, null);
    events.onDelete(row.id);
    const undo = () => events.onRestore(row.id, row.id === activeId);
    toast({ title: row.title, what: "deleted", undo, focus: byKey });
  },
  /** @type {(row: Row) => void} */
  share: (row) => events.onShare(row.id),
  /** @type {(row: Row) => void} */
  unshare: (row) => events.onUnshare(row.id),
  /** @type {(row: Row) => void} */
  "export-md": (row) =>
    events.onExport(row.id, { user: say("share.you"), assistant: say("picker.assistant") }),
  /** @type {(row: Row) => void} */
  "export-json": (row) => download(`/exports/${encodeURIComponent(row.id)}`),
});
