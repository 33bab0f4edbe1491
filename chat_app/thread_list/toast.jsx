// A toast with Undo, shown for a few seconds after a thread is deleted or archived. It survives navigation, and is a popover so
// that it is above an open drawer, too.

import { useEffect, useRef } from "react";
import { useWords } from "../i18n/words.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/**
 * What happened to a thread, and how to undo it.
 *
 * @typedef {{ title: string, what: "deleted" | "archived" | "unarchived", undo: () => void, focus: boolean }} Change
 */

/** @type {SharedValue<(Change & { at: number }) | null>} */
const shown = new SharedValue(null);
let timer = 0;

/** @param {(Change & { at: number }) | null} next */
function show(next) {
  clearTimeout(timer);
  shown.set(next);
}

/**
 * Show what happened to a thread; `focus` says whether to focus the Undo button.
 *
 * @param {Change} change
 */
export const toast = (change) => show({ ...change, at: Date.now() });

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
  const change = useShared(shown, null, (value) => value);
  const say = useWords();
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    if (!change) return;
    if (!box.current?.matches(":popover-open")) box.current?.showPopover();
    clearTimeout(timer);
    timer = setTimeout(() => show(null), seconds * 1000 - (Date.now() - change.at));
    if (change.focus) button.current?.focus();
  }, [change, seconds]);
  const undo = () => {
    change?.undo();
    show(null);
  };
  const title = brief(change?.title || say("sidebar.new_chat"));
  /** @type {Record<Change["what"], string>} */
  const words = {
    deleted: say("sidebar.deleted", { title }),
    archived: say("sidebar.was_archived", { title }),
    unarchived: say("sidebar.was_unarchived", { title }),
  };
  return (
    <div role="status">
      {change && (
        <div ref={box} popover="manual" className="toast" data-testid="toast">
          <span dir="auto">{words[change.what]}</span>
          <button ref={button} type="button" onClick={undo} data-testid="undo">
            {say("sidebar.undo")}
          </button>
        </div>
      )}
    </div>
  );
}
