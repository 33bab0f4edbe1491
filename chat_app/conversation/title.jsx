// The title of the open thread, and the field in which it is renamed.

import { useWords } from "../i18n/words.js";
import { Rename } from "../thread_list/thread_row.jsx";
import { threadActions } from "../thread_list/thread_actions.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

const renaming = new SharedValue(""); // the id of the thread

/**
 * Show the field in place of the title.
 *
 * @param {string} threadId
 */
export const renameTitle = (threadId) => renaming.set(threadId);

/**
 * @param {{ thread?: string, title: string, words: string, onRename: (threadId: string, title: string) => void }} props
 */
export function ThreadTitle({ thread = "", title, words, onRename }) {
  const say = useWords();
  const isRenaming = useShared(renaming, "", (id) => id) === thread && thread !== "";
  const row = { id: thread, title, at: 0, pinned: false, tone: "", share: "" };
  /** @type {import("../thread_list/threads.jsx").Act} */
  const act = (_, __, typed) => {
    renaming.set("");
    const events = /** @type {import("../thread_list/thread_actions.js").ThreadEvents} */ ({ onRename });
    threadActions("main", thread, events, say).rename(row, typed);
    /** @type {HTMLElement | null} */ (document.querySelector("[data-testid='share-menu']"))?.focus();
  };
  if (isRenaming) return <Rename row={row} act={act} />;
  return (
    // The greeting is the h1 of a new chat.
    <h1 dir="auto" data-testid="title" aria-hidden={title === ""} title={words}>
      {words}
    </h1>
  );
}
