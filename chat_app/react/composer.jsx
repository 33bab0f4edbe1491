// Where the person writes. The draft lives in the browser, so that a key press never makes a round trip.
// Enter sends, or Ctrl+Enter if the person prefers that (not while an input method composes), Shift+Enter breaks the line, Esc stops the answer.

import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";
import ArrowUp from "lucide-react/dist/esm/icons/arrow-up.mjs";
import Square from "lucide-react/dist/esm/icons/square.mjs";
import { useWords } from "../../words/words.js";
import { AttachButton, Chosen, DropZone, addFiles, pasted, useDrop } from "./attach.jsx";
import { isUploading, putFiles, takeFiles, useAttachments } from "./attachments.js";
import { isSend, useLook } from "./looks.js";
import { messageId, post, readDraft, take, useOutbox, writeDraft } from "./drafts.js";

const MAX_HEIGHT = 200;
const LONG = 20_000; // laying out a megabyte to learn its height takes seconds

function fit(area) {
  if (area.value.length > LONG) {
    area.style.height = `${MAX_HEIGHT}px`;
    area.style.overflowY = "auto";
    return;
  }
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, MAX_HEIGHT)}px`;
  area.style.overflowY = area.scrollHeight > MAX_HEIGHT ? "auto" : "hidden";
}

function isComposing(event) {
  return event.nativeEvent.isComposing || event.keyCode === 229;
}

function useDraft(thread) {
  const area = useRef(null);
  const timer = useRef(0);
  const [blank, setBlank] = useState(true);

  const changed = useCallback(() => {
    const text = area.current.value;
    fit(area.current);
    setBlank(!text.trim());
    clearTimeout(timer.current);
    timer.current = setTimeout(() => writeDraft(thread, text), 300);
  }, [thread]);

  const set = useCallback(
    (text) => {
      area.current.value = text;
      changed();
    },
    [changed],
  );

  useLayoutEffect(() => {
    const { current: el } = area;
    set(readDraft(thread));
    if (window.matchMedia("(pointer: fine)").matches) el.focus({ preventScroll: true });
    const keep = () => {
      clearTimeout(timer.current);
      writeDraft(thread, el.value);
    };
    window.addEventListener("pagehide", keep); // a reload unmounts nothing
    return () => {
      window.removeEventListener("pagehide", keep);
      keep();
    };
  }, [thread, set]);

  return { area, blank, changed, set };
}

/** Stop on Esc wherever the focus is, except where Esc has a meaning of its own. */
function useEscape(running, onStop) {
  const latest = useRef(null);
  latest.current = running ? onStop : null;
  useEffect(() => {
    const onKey = (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
      if (document.querySelector('dialog[open], [popover]:not([popover="manual"]):popover-open')) return;
      latest.current?.();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

export function Composer({ thread = "", running, rejected = "", placeholder, maxBytes, maxFiles, onSend, onStop }) {
  const { area, blank, changed, set } = useDraft(thread);
  const say = useWords();
  const files = useAttachments(thread);
  const limits = { maxBytes, maxFiles };
  const attach = (chosen) => chosen && addFiles(thread, chosen, limits);
  const dropping = useDrop(attach);
  const uploading = isUploading(files);
  const nothing = blank && !files.some((file) => file.part);
  const sendKey = useLook("send");
  useEscape(running, onStop);

  const send = useCallback(
    (text) => {
      if (nothing && !text.trim()) return;
      if (uploading) return;
      const id = messageId();
      const taken = takeFiles(thread);
      post({ id, thread, text, files: taken });
      onSend(text, id, taken.map((file) => file.part), thread);
      set("");
      writeDraft(thread, "");
    },
    [thread, onSend, set, nothing, uploading],
  );

  // A message that could not be sent comes back, above whatever has been written since.
  useEffect(() => {
    const item = rejected && take(rejected);
    if (!item) return;
    set([item.text, area.current.value].filter(Boolean).join("\n\n"));
    putFiles(thread, item.files);
  }, [rejected, set, area, thread]);

  // A suggestion is a message like any other.
  useEffect(() => {
    const onPick = (event) => {
      const text = event.target.closest?.("[data-suggestion]")?.dataset.suggestion;
      if (text) send(text);
    };
    document.addEventListener("click", onPick);
    return () => document.removeEventListener("click", onPick);
  }, [send]);

  const onKeyDown = (event) => {
    if (isComposing(event) || !isSend(event)) return;
    event.preventDefault();
    send(area.current.value);
  };

  const sending = running
    ? say("composer.send_later", "Send when the answer is finished")
    : say("composer.send", "Send");

  return (
    <form className="composer" data-testid="composer-form" onSubmit={(event) => (event.preventDefault(), send(area.current.value))}>
      <Chosen thread={thread} files={files} limits={limits} />
      {dropping && <DropZone />}
      <AttachButton onFiles={attach} />
      <textarea
        ref={area}
        rows={1}
        dir="auto"
        aria-label={say("composer.label", "Message")}
        placeholder={placeholder}
        data-testid="composer"
        onChange={changed}
        onKeyDown={onKeyDown}
        onPaste={(event) => attach(pasted(event))}
      />
      {running && (
        <button type="button" className="round" onClick={() => onStop()} aria-label={say("composer.stop", "Stop")} title={`${say("composer.stop", "Stop")} (Esc)`} data-testid="stop">
          <Square size={14} fill="currentColor" aria-hidden="true" />
        </button>
      )}
      {!(running && nothing) && (
        <button
          type="submit"
          className="round"
          disabled={nothing || uploading}
          aria-label={sending}
          title={`${sending} (${sendKey === "enter" ? "Enter" : "Ctrl+Enter"})`}
          data-testid="send"
        >
          <ArrowUp size={18} aria-hidden="true" />
        </button>
      )}
    </form>
  );
}

/** Messages of this page that the server has not shown yet: on the screen from the moment they are sent. */
export function Outbox({ thread = "", known }) {
  const items = useOutbox();
  useEffect(() => {
    for (const item of items) if (known?.includes(item.id)) take(item.id);
  }, [items, known]);
  return items
    .filter((item) => (item.thread === thread || !item.thread) && !known?.includes(item.id))
    .map((item) => (
      <article key={item.id} className="message user pending" data-role="user" data-message-id={item.id} data-testid="message">
        {item.files?.length > 0 && (
          <div className="files">
            {item.files.map((file) => (
              <span key={file.key} className="file">
                {file.part.filename}
              </span>
            ))}
          </div>
        )}
        {item.text.trim() && (
          <div className="bubble" dir="auto">
            {item.text.slice(0, LONG)}
          </div>
        )}
      </article>
    ));
}
