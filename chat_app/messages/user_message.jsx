// A user's message: a bubble, or the field in which it is edited. Enter saves (not while an input method is composing),
// Shift+Enter breaks the line, Esc cancels.

import { useEffect, useLayoutEffect, useRef, useState } from "react";
import { useWords } from "../i18n/words.js";
import { clean } from "../text/grammar/text_cleaner.js";
import { readDraft, writeDraft } from "../composer/drafts.js";
import { edit, endEdit, useEditing } from "./edited_message.js";
import { TooLong, isTooLong } from "../composer/length_limit.jsx";
import { isComposing } from "../ui/browser.js";
import { isSend } from "../ui/preference_store.js";

const MAX_HEIGHT = 400;
const DOUBLE_PRESS_MS = 3000; // a second press on Save within this time is ignored

/**
 * @param {{
 *   messageId: string,
 *   text: string,
 *   hasFiles?: boolean,
 *   onSave: (messageId: string, text: string) => void,
 * }} props
 */
export function Bubble({ messageId, text, hasFiles = false, onSave }) {
  const editing = useEditing(messageId);
  if (editing) return <Editor messageId={messageId} text={text} hasFiles={hasFiles} onSave={onSave} />;
  return text ? (
    <div className="bubble" dir="auto">
      {clean(text)}
    </div>
  ) : null;
}

/**
 * @param {{
 *   messageId: string,
 *   text: string,
 *   hasFiles: boolean,
 *   onSave: (messageId: string, text: string) => void,
 * }} props
 */
function Editor({ messageId, text, hasFiles, onSave }) {
  const say = useWords();
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const mounted = useRef(false);
  const saved = useRef({ value: /** @type {string | null} */ (null), at: 0 });
  const draft = `edit:${messageId}`;
  const [value, setValue] = useState(() => readDraft(draft) || text);
  const [over, setOver] = useState(0);
  const blank = !value.trim() && !hasFiles;

  useLayoutEffect(() => {
    const { current: el } = area;
    if (!el) return;
    el.style.height = "auto";
    el.style.height = `${Math.min(el.scrollHeight + 2, MAX_HEIGHT)}px`;
  }, [value]);

  // After a save the new message has replaced this one; otherwise the user has left the page, and the draft stays.
  const close = () => {
    if (saved.current.value !== null) writeDraft(draft, "");
    endEdit(messageId);
  };

  useEffect(() => {
    area.current?.focus();
    area.current?.setSelectionRange(value.length, value.length);
    mounted.current = true;
    return () => {
      mounted.current = false;
      // Deferred, because StrictMode runs an effect twice.
      setTimeout(() => mounted.current || close());
    };
    // eslint-disable-next-line react-hooks/exhaustive-deps -- only when the editor opens
  }, []);

  const cancel = () => {
    writeDraft(draft, "");
    edit("");
  };
  const save = () => {
    setOver(isTooLong(value) ? value.length : 0);
    if (blank || isTooLong(value)) return;
    if (value === text) return cancel();
    const isDoublePress = saved.current.value === value && Date.now() - saved.current.at < DOUBLE_PRESS_MS;
    if (isDoublePress) return;
    saved.current = { value, at: Date.now() };
    onSave(messageId, value); // the editor stays open until the new message replaces it: a failed save loses nothing
  };
  /** @param {React.KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      cancel();
    }
    if (!isSend(event)) return;
    event.preventDefault();
    save();
  };

  return (
    <div className="editor">
      <textarea
        ref={area}
        rows={1}
        dir="auto"
        value={value}
        aria-label={say("message.edit")}
        data-testid="edit-field"
        onChange={(event) => {
          setOver(0);
          setValue(event.target.value);
          writeDraft(draft, event.target.value);
        }}
        onKeyDown={onKeyDown}
      />
      <TooLong length={over} />
      <div className="choices">
        <button type="button" className="button" onClick={cancel} data-testid="edit-cancel">
          {say("message.edit_cancel")}
        </button>
        <button
          type="button"
          className="button primary"
          disabled={blank}
          onClick={save}
          data-testid="edit-save"
        >
          {say("message.edit_save")}
        </button>
      </div>
    </div>
  );
}
