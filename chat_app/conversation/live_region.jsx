// Announces answers to screen readers in whole sentences, politely and at most every two seconds. The text comes from
// the rendered page, so that no Markdown syntax is spoken. There is one live region per page, outside the messages;
// sentences are appended to it, so that none replaces one that has not been spoken yet.

import { useEffect, useRef, useState } from "react";
import { spokenLength, spokenText, lastSentenceEnd } from "./spoken_text.js";
import { wasSent } from "../composer/outbox_store.js";

const ANNOUNCE_INTERVAL_MS = 2000;
const RENDER_DELAY_MS = 500; // a thread that is opened takes some frames to render
const MAX_PIECES = 20; // removing old ones is silent: a screen reader speaks additions only
const ROWS = '[data-testid="message"]';

/**
 * Return the newest answer in the column: its message, the prompt before it, its text, and whether more will follow.
 *
 * @param {HTMLElement} column
 */
function newest(column) {
  const rows = /** @type {HTMLElement[]} */ (Array.from(column.querySelectorAll(ROWS)));
  const at = rows.findLastIndex((row) => row.dataset.role === "assistant");
  const answer = rows[at];
  const texts = answer ? Array.from(answer.querySelectorAll(".md"), spokenText) : [];
  return {
    isEmpty: rows.length === 0,
    id: answer?.dataset.messageId ?? "",
    prompt: rows[at - 1]?.dataset.messageId ?? "",
    text: texts.join("\n").replace(/\n+/g, "\n").trimEnd(), // a trailing line break ends no sentence
    writing: Boolean(answer?.querySelector(".md[data-writing]")),
  };
}

const announced = new Map(); // message id -> the text that has been announced since the page was loaded

/**
 * Live region of a column of messages. Answers that are there when a thread is opened are not announced, unless this
 * tab sent the prompt; every later answer is announced to its end, even if it arrives in one piece.
 *
 * @param {{ column: React.RefObject<HTMLElement | null>, thread: string, running: boolean }} props
 */
export function LiveRegion({ column, thread, running }) {
  const [pieces, setPieces] = useState(/** @type {{ key: string, words: string }[]} */ ([]));
  const isOpened = useRef(false);

  useEffect(() => {
    isOpened.current = false;
  }, [thread]);

  useEffect(() => {
    const { current: el } = column;
    if (!el) return undefined;
    let timer = 0;
    const announce = () => {
      timer = 0;
      const { isEmpty, id, prompt, text, writing } = newest(el);
      if (isEmpty) return;
      if (!isOpened.current && !announced.has(id) && !wasSent(prompt)) announced.set(id, text);
      isOpened.current = true;
      const from = spokenLength(announced.get(id) ?? "", text);
      const end = running || writing ? lastSentenceEnd(text, from) : text.length;
      const words = text.slice(from, end).trim();
      announced.set(id, text.slice(0, end));
      if (words) setPieces((all) => [...all, { key: `${id}:${from}:${end}`, words }].slice(-MAX_PIECES));
    };
    const schedule = () =>
      (timer ||= setTimeout(announce, isOpened.current ? ANNOUNCE_INTERVAL_MS : RENDER_DELAY_MS));
    const observer = new MutationObserver(schedule);
    observer.observe(el, { childList: true, subtree: true, characterData: true });
    schedule();
    return () => {
      observer.disconnect();
      clearTimeout(timer);
    };
  }, [column, thread, running]);

  return (
    <div className="sr-only" aria-live="polite" aria-relevant="additions" data-testid="live-region">
      {pieces.map(({ key, words }) => (
        <p key={key}>{words}</p>
      ))}
    </div>
  );
}
