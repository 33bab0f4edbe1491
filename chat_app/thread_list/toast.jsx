// A toast with Undo, shown for a few seconds after a thread is deleted. It survives navigation, and is a popover so
// that it is above an open drawer, too.

import { useEffect, useRef } from "react";
import { useWords } from "../i18n/words.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/** Deleted thread, and how to restore it. @typedef {{ title: string, undo: () => void, focus: boolean }} Deletion */

/** @type {SharedValue<(Deletion & { at: number }) | null>} */
const shown = new SharedValue(null);
let timer = 0;

/** @param {(Deletion & { at: number }) | null} next */
function show(next) {
  clearTimeout(timer);
  shown.set(next);
}

/**
 * Show that a thread was deleted; `undo` restores it, and `focus` says whether to focus the Undo button.
 *
 * @param {Deletion} deletion
 */
export const toast = (deletion) => show({ ...deletion, at: Date.now() });

const MAX_TITLE = 32; // characters; the rest of the sentence must fit on the line, too
/** @param {string} title */
const brief = (title) =>
  title.length > MAX_TITLE
    ? `${[...title]
        .slice(0, MAX_TITLE - 1)
        .join("")
        .trimEnd()}…`
    : title;

/** @param {{ seconds?: number }} props */
export function Toast({ seconds = 8 }) {
  const deletion = useShared(shown, null, (value) => value);
  const say = useWords();
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    if (!deletion) return;
    if (!box.current?.matches(":popover-open")) box.current?.showPopover();
    clearTimeout(timer);
    timer = setTimeout(() => show(null), seconds * 1000 - (Date.now() - deletion.at));
    if (deletion.focus) button.current?.focus();
  }, [deletion, seconds]);
  const undo = () => {
    deletion?.undo();
    show(null);
  };
  const title = brief(deletion?.title || say("sidebar.new_chat"));
  return (
    <div role="status">
      {deletion && (
        <div ref={box} popover="manual" className="toast" data-testid="toast">
          <span dir="auto">{say("sidebar.deleted", { title })}</span>
          <button ref={button} type="button" onClick={undo} data-testid="undo">
            {say("sidebar.undo")}
          </button>
        </div>
      )}
    </div>
  );
}
