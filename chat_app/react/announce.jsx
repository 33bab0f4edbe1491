// Reads an answer to screen readers by whole sentences, politely and not more often than every two
// seconds. There is one live region per page, outside the messages, so that nothing is read twice.

import { useEffect, useRef, useSyncExternalStore } from "react";

const PAUSE_MS = 2000;
const SENTENCE_END = /[.!?:…。！？]["')\]]*\s|\n/g;

let words = "";
const listeners = new Set();

function say(text) {
  words = text.trim();
  for (const listener of listeners) listener();
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export function LiveRegion() {
  const text = useSyncExternalStore(subscribe, () => words, () => "");
  return (
    <div className="sr-only" aria-live="polite" data-testid="live-region">
      {text}
    </div>
  );
}

export function lastSentenceEnd(text, from) {
  let end = from;
  SENTENCE_END.lastIndex = from;
  for (let match; (match = SENTENCE_END.exec(text)); ) end = match.index + match[0].length;
  return end;
}

/** Read out `text` while it grows, and its rest when it is finished; what stood there at first is not read. */
export function useAnnouncer(text, live) {
  const said = useRef(null);
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => {
    if (!live) return undefined;
    said.current ??= latest.current.length;
    const speak = (end) => {
      if (end > said.current) say(latest.current.slice(said.current, end));
      said.current = Math.max(said.current, end);
    };
    const timer = setInterval(() => speak(lastSentenceEnd(latest.current, said.current)), PAUSE_MS);
    return () => {
      clearInterval(timer);
      speak(latest.current.length);
    };
  }, [live]);
}
