// A toast for a few seconds after a thread was deleted, with Undo. It survives navigation, and is a popover so that it
// is above an open drawer, too.

import { useEffect, useRef } from "react";
import { useWords } from "../i18n/words.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/** A deleted thread, and how to restore it. @typedef {{ title: string, undo: () => void, focus: boolean }} Said */

/** @type {SharedValue<(Said & { at: number }) | null>} */
const shown = new SharedValue(null);
let timer = 0;

/** @param {(Said & { at: number }) | null} next */
function show(next) {
  clearTimeout(timer);
  shown.set(next);
}

/**
 * Say that the thread of a `title` was deleted; `undo` brings it back, and `focus` moves there.
 *
 * @param {Said} said
 */
export const toast = (said) => show({ ...said, at: Date.now() });

const MAX_TITLE = 32; // characters of a title: what happened to it must stand on the line, too
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
  const said = useShared(shown, null, (value) => value);
  const say = useWords();
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const button = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    if (!said) return;
    if (!box.current?.matches(":popover-open")) box.current?.showPopover();
    clearTimeout(timer);
    timer = setTimeout(() => show(null), seconds * 1000 - (Date.now() - said.at));
    if (said.focus) button.current?.focus();
  }, [said, seconds]);
  const undo = () => {
    said?.undo();
    show(null);
  };
  const title = brief(said?.title || say("sidebar.new_chat"));
  return (
    <div role="status">
      {said && (
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
