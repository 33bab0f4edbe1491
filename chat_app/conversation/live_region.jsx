// Reads answers to screen readers by whole sentences, politely and not more often than every two seconds.
// It reads what the page shows, so that no marks of markdown are heard. There is one live region per page,
// outside the messages; sentences are added to it, so that none replaces one that is still to be read.

import { useEffect, useRef, useState } from "react";
import { alreadyRead, heard, lastSentenceEnd } from "./spoken_text.js";
import { wasSent } from "../composer/outbox_store.js";

const PAUSE_MS = 2000;
const SETTLE_MS = 500; // what a thread shows when it is opened takes some frames to be drawn
const KEPT = 20; // pieces; a screen reader reads what is added, and nothing of what is taken away
const ROWS = '[data-testid="message"]';

/**
 * The newest answer in the column: its message, the prompt before it, its words, and whether more of them come.
 *
 * @param {HTMLElement} column
 */
function newest(column) {
  const rows = /** @type {HTMLElement[]} */ (Array.from(column.querySelectorAll(ROWS)));
  const at = rows.findLastIndex((row) => row.dataset.role === "assistant");
  const answer = rows[at];
  const texts = answer ? Array.from(answer.querySelectorAll(".md"), heard) : [];
  return {
    isEmpty: rows.length === 0,
    id: answer?.dataset.messageId ?? "",
    prompt: rows[at - 1]?.dataset.messageId ?? "",
    text: texts.join("\n").replace(/\n+/g, "\n").trimEnd(), // the end of a block that grows is no end of a sentence
    writing: Boolean(answer?.querySelector(".md[data-writing]")),
  };
}

const known = new Map(); // by answer: what has been read of it since the page was loaded

/**
 * The live region of a column of messages. What is there when a thread is opened is not read, unless it
 * answers what this tab has sent; every answer that comes after that is read to its end, also one that comes
 * in a single piece.
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
    const look = () => {
      timer = 0;
      const { isEmpty, id, prompt, text, writing } = newest(el);
      if (isEmpty) return;
      if (!isOpened.current && !known.has(id) && !wasSent(prompt)) known.set(id, text);
      isOpened.current = true;
      const from = alreadyRead(known.get(id) ?? "", text);
      const end = running || writing ? lastSentenceEnd(text, from) : text.length;
      const words = text.slice(from, end).trim();
      known.set(id, text.slice(0, end));
      if (words) setPieces((all) => [...all, { key: `${id}:${from}:${end}`, words }].slice(-KEPT));
    };
    const soon = () => (timer ||= setTimeout(look, isOpened.current ? PAUSE_MS : SETTLE_MS));
    const changes = new MutationObserver(soon);
    changes.observe(el, { childList: true, subtree: true, characterData: true });
    soon();
    return () => {
      changes.disconnect();
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
