// The composer. The draft lives in the browser, so that no key press needs a round trip. Enter sends, or Ctrl+Enter if
// the user prefers that (not while an input method is composing), Shift+Enter breaks the line, Esc stops the answer.

import { useCallback, useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from "react";
import { useLocation, useParams } from "react-router";
import ArrowUp from "lucide-react/dist/esm/icons/arrow-up.mjs";
import Square from "lucide-react/dist/esm/icons/square.mjs";
import { useWords } from "../i18n/words.js";
import {
  AttachButton,
  AttachmentList,
  DropZone,
  addFiles,
  pasted,
  useDrop,
} from "../files/attach_button.jsx";
import { isUnfinished, putFiles, takeFiles, useAttachments } from "../files/attachment_store.js";
import { isComposing } from "../ui/browser.js";
import { isSend, usePreference } from "../ui/preference_store.js";
import { markRestored, readDraft, writeDraft } from "./drafts.js";
import {
  acknowledge,
  addPending,
  assignToPage,
  createdThreadId,
  messageId,
  overdue,
  removePending,
} from "./outbox_store.js";
import { TooLong, isTooLong } from "./length_limit.jsx";

/** @import { Attachment, FilePart } from "../files/attachment_store.js" */
/** @typedef {(text: string, id: string, files: FilePart[], thread: string) => void} OnSend */

const MAX_HEIGHT = 200;
const LONG = 20_000; // characters; measuring the height of a megabyte takes seconds, and so does `dir="auto"` on it
const RIGHT_TO_LEFT =
  /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u;
const RETRY_INTERVAL_MS = 2000; // how often unacknowledged messages are checked

/**
 * Set the direction of the field. A long text gets a fixed one: with `auto` the browser detects one for each line.
 *
 * @param {HTMLTextAreaElement} area
 * @param {string} text
 */
function setDirection(area, text) {
  area.dir = text.length <= LONG ? "auto" : RIGHT_TO_LEFT.test(text.slice(0, LONG)) ? "rtl" : "ltr";
}

/** @param {HTMLTextAreaElement} area */
function fit(area) {
  setDirection(area, area.value);
  if (area.value.length > LONG) {
    area.style.height = `${MAX_HEIGHT}px`;
    area.style.overflowY = "auto";
    return;
  }
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight, MAX_HEIGHT)}px`;
  area.style.overflowY = area.scrollHeight > MAX_HEIGHT ? "auto" : "hidden";
}

/** @param {string} thread */
function useDraft(thread) {
  const area = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const timer = useRef(0);
  const [blank, setBlank] = useState(true);

  const changed = useCallback(() => {
    const { current: el } = area;
    if (!el) return;
    const text = el.value;
    fit(el);
    setBlank(!text.trim());
    clearTimeout(timer.current);
    timer.current = setTimeout(() => writeDraft(thread, text), 300);
  }, [thread]);

  const set = useCallback(
    (/** @type {string} */ text) => {
      const { current: el } = area;
      if (!el) return;
      setDirection(el, text);
      el.value = text;
      changed();
    },
    [changed],
  );

  useLayoutEffect(() => {
    const { current: el } = area;
    if (!el) return undefined;
    set(readDraft(thread));
    if (window.matchMedia("(pointer: fine)").matches) el.focus({ preventScroll: true });
    const keep = () => {
      clearTimeout(timer.current);
      writeDraft(thread, el.value);
    };
    window.addEventListener("pagehide", keep); // a reload does not unmount components
    return () => {
      window.removeEventListener("pagehide", keep);
      keep();
    };
  }, [thread, set]);

  return { area, blank, changed, set };
}

/**
 * Stop the answer on Esc wherever the focus is, unless Esc closes a dialog or a menu.
 *
 * @param {boolean} running
 * @param {() => void} onStop
 */
function useEscape(running, onStop) {
  const stop = useEffectEvent(() => running && onStop());
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      if (event.key !== "Escape" || event.defaultPrevented || isComposing(event)) return;
      if (document.querySelector('dialog[open], [popover]:not([popover="manual"]):popover-open')) return;
      stop();
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
}

/**
 * Resend messages that the server has not acknowledged; their ids make that safe.
 *
 * @param {string} thread
 * @param {string} sent
 * @param {OnSend} onSend
 */
function useResend(thread, sent, onSend) {
  const resend = useEffectEvent(() => {
    for (const { id, text, files, tries, thread: to } of overdue(thread)) {
      const parts = (files ?? []).map((file) => file.part);
      if (tries && id === sent) acknowledge(id);
      else onSend(text, id, parts, to);
    }
  });
  useEffect(() => {
    const first = setTimeout(() => resend()); // deferred, because StrictMode runs an effect twice
    const timer = setInterval(() => resend(), RETRY_INTERVAL_MS);
    return () => {
      clearTimeout(first);
      clearInterval(timer);
    };
  }, [thread]);
}

/**
 * Return the thread that this new-chat page has started, "" before its first message. Messages that are sent before the
 * page navigates to the new thread go to that thread. Navigating or loading resets it.
 *
 * @param {string} thread
 */
function useStartedThread(thread) {
  const startedRef = useRef("");
  const { key } = useLocation();
  useLayoutEffect(() => {
    startedRef.current = "";
    assignToPage(thread);
    const onHide = () => assignToPage(threadIn(window.location.pathname)); // the address changes before this page renders it
    window.addEventListener("pagehide", onHide);
    return () => window.removeEventListener("pagehide", onHide);
  }, [key, thread]);
  return startedRef;
}

/**
 * Return the thread id in an address, "" for none.
 *
 * @param {string} path
 */
const threadIn = (path) => path.match(/\/chat\/([^/]+)\/?$/)?.[1] ?? "";

/**
 * Return a function that restores text and files to the field, or to the draft of another thread.
 *
 * @param {string} thread
 * @param {React.RefObject<HTMLTextAreaElement | null>} area
 * @param {(text: string) => void} set
 */
function useRestore(thread, area, set) {
  return useCallback(
    (
      /** @type {string} */ to,
      /** @type {string} */ text,
      /** @type {Partial<Attachment>[]} */ files = [],
    ) => {
      const before = (to === thread ? area.current?.value : null) ?? readDraft(to);
      const all = [text, before].filter(Boolean).join("\n\n");
      if (to === thread) set(all);
      else writeDraft(to, all);
      putFiles(to, files);
    },
    [thread, area, set],
  );
}

/**
 * @param {{
 *   thread?: string,
 *   running: boolean,
 *   rejected?: string,
 *   returned?: { id: string, thread_id: string, text: string, files: FilePart[] },
 *   sent?: string,
 *   placeholder: string,
 *   maxBytes: number,
 *   maxFiles: number,
 *   onSend: OnSend,
 *   onStop: () => void,
 * }} props
 */
export function Composer({
  thread: shown = "",
  running: isAgentRunning,
  rejected = "",
  returned,
  sent = "",
  placeholder,
  maxBytes,
  maxFiles,
  onSend,
  onStop,
}) {
  // The thread of the address, not the server's: it changes as soon as the user clicks another thread.
  const thread = useParams().thread_id ?? shown;
  const running = isAgentRunning && thread === shown;
  const { area, blank, changed, set } = useDraft(thread);
  const say = useWords();
  const files = useAttachments(thread);
  const limits = { maxBytes, maxFiles };
  /** @param {FileList | null | undefined} chosen */
  const attach = (chosen) => chosen && addFiles(thread, chosen, limits);
  const dropping = useDrop(attach);
  const unfinished = isUnfinished(files);
  const nothing = blank && !files.some((file) => file.part);
  const sendKey = usePreference("send");
  useEscape(running, onStop);
  useResend(thread, sent, onSend);
  const restore = useRestore(thread, area, set);
  const startedRef = useStartedThread(thread);
  const [over, setOver] = useState(0); // the length of a text that was too long to send

  const send = useCallback(
    (text = area.current?.value ?? "") => {
      if (nothing && !text.trim()) return;
      if (unfinished) return;
      setOver(isTooLong(text) ? text.length : 0);
      if (isTooLong(text)) return;
      const id = messageId();
      const taken = takeFiles(thread);
      const to = thread || startedRef.current || createdThreadId(id);
      if (!thread) startedRef.current = to;
      addPending({ id, thread: to, page: thread, text, files: taken });
      const parts = taken.map((file) => file.part);
      onSend(text, id, parts, to);
      set("");
      writeDraft(thread, "");
    },
    [thread, area, startedRef, onSend, set, nothing, unfinished],
  );

  // Restore a message that could not be sent, above whatever has been typed since.
  useEffect(() => {
    const item = rejected && removePending(rejected);
    if (!item) return;
    if (startedRef.current === createdThreadId(item.id)) startedRef.current = "";
    restore(item.page, item.text, item.files);
  }, [rejected, startedRef, restore]);

  // Restore a message that was withdrawn from the queue.
  useEffect(() => {
    if (!returned || !markRestored(returned.id)) return;
    restore(
      returned.thread_id,
      returned.text,
      returned.files.map((part) => ({ part })),
    );
    if (returned.thread_id === thread) area.current?.focus();
  }, [returned, restore, area, thread]);

  // Clicking a suggestion sends it like any other message.
  useEffect(() => {
    /** @param {MouseEvent} event */
    const onPick = (event) => {
      const target = /** @type {Element} */ (event.target);
      const text = target.closest?.("[data-suggestion]")?.getAttribute("data-suggestion");
      if (text) send(text);
    };
    document.addEventListener("click", onPick);
    return () => document.removeEventListener("click", onPick);
  }, [send]);

  /** @param {React.KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (!isSend(event)) return;
    event.preventDefault();
    send();
  };

  const sending = running ? say("composer.send_later") : say("composer.send");

  return (
    <>
      <TooLong length={over} />
      <form
        className="composer"
        data-testid="composer-form"
        onSubmit={(event) => (event.preventDefault(), send())}
      >
        <AttachmentList thread={thread} files={files} limits={limits} />
        {dropping && <DropZone />}
        <AttachButton onFiles={attach} />
        <textarea
          ref={area}
          rows={1}
          dir="auto"
          enterKeyHint="enter"
          aria-label={say("composer.label")}
          placeholder={placeholder}
          data-testid="composer"
          onChange={() => (setOver(0), changed())}
          onKeyDown={onKeyDown}
          onPaste={(event) => {
            const { currentTarget: el, clipboardData } = event;
            setDirection(el, el.value + clipboardData.getData("text/plain")); // before the browser lays it out
            attach(pasted(event));
          }}
        />
        {running && (
          <button
            type="button"
            className="round"
            onClick={() => onStop()}
            aria-label={say("composer.stop")}
            title={`${say("composer.stop")} (Esc)`}
            data-testid="stop"
          >
            <Square size={14} fill="currentColor" aria-hidden="true" />
          </button>
        )}
        {!(running && nothing) && (
          <button
            type="submit"
            className="round"
            disabled={nothing || unfinished}
            aria-label={sending}
            title={`${sending} (${sendKey === "enter" ? say("settings.send_enter") : say("settings.send_ctrl")})`}
            data-testid="send"
          >
            <ArrowUp size={18} aria-hidden="true" />
          </button>
        )}
      </form>
    </>
  );
}
