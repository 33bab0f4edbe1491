// Reads answers to screen readers by whole sentences, politely and not more often than every two seconds.
// It reads what the page shows, so that no marks of markdown are heard. There is one live region per page,
// outside the messages; sentences are added to it, so that none replaces one that is still to be read.

import { useEffect, useRef, useState } from "react";
import { wasSent } from "./outbox.js";

const PAUSE_MS = 2000;
const SETTLE_MS = 500; // what a thread shows when it is opened takes some frames to be drawn
const KEPT = 20; // pieces; a screen reader reads what is added, and nothing of what is taken away
const SENTENCE_END = /[.!?:…。！？]["')\]”’»]*\s|\n/g;
const SILENT = "button, [aria-hidden=true], .katex-html, annotation, style, script";
const BLOCKS = /^(?:P|LI|H[1-6]|TR|PRE|BLOCKQUOTE|SUMMARY|DIV|SECTION|TD|TH)$/;

/**
 * @param {string} text
 * @param {number} from
 */
export function lastSentenceEnd(text, from) {
  let end = from;
  SENTENCE_END.lastIndex = from;
  for (let match; (match = SENTENCE_END.exec(text));) end = match.index + match[0].length;
  return end;
}

/**
 * The words of an element as they are heard: blocks end a line, and what is pressed or drawn is left out.
 *
 * @param {Node} node
 * @returns {string}
 */
function heard(node) {
  if (node instanceof Text) return node.data;
  if (!(node instanceof Element) || node.matches(SILENT)) return "";
  const inside = Array.from(node.childNodes, heard).join("");
  return BLOCKS.test(node.tagName) ? `${inside}\n` : inside;
}

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
    prompt: rows[at - 1]?.dataset.messageId,
    text: texts.join("\n").replace(/\n+/g, "\n").trimEnd(), // the end of a block that grows is no end of a sentence
    writing: Boolean(answer?.querySelector(".md[data-writing]")),
  };
}

/**
 * How much of `text` has been read, when `before` was: a text that was begun again is read where it differs.
 *
 * @param {string} before
 * @param {string} text
 */
function alreadyRead(before, text) {
  if (text.startsWith(before) || text.length >= before.length / 2)
    return Math.min(before.length, text.length);
  let same = 0;
  while (same < text.length && text[same] === before[same]) same += 1;
  return same;
}

const known = new Map(); // by answer: what has been read of it since the page was loaded

/**
 * The live region of a column of messages. What is there when a thread is opened is not read, unless it
 * answers what this tab has sent; every answer that comes after that is read to its end, also one that comes
 * in a single piece.
 *
 * @param {{ column: React.RefObject<HTMLElement>, thread: string, running: boolean }} props
 */
export function LiveRegion({ column, thread, running }) {
  const [pieces, setPieces] = useState([]);
  const isOpened = useRef(false);

  useEffect(() => {
    isOpened.current = false;
  }, [thread]);

  useEffect(() => {
    let timer = 0;
    const look = () => {
      timer = 0;
      const { isEmpty, id, prompt, text, writing } = newest(column.current);
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
    changes.observe(column.current, { childList: true, subtree: true, characterData: true });
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
