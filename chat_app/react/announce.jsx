// Reads an answer aloud to screen readers by whole sentences, politely and not more often than every two seconds.

import { useEffect, useRef, useState } from "react";

const PAUSE_MS = 2000;
const SENTENCE_END = /[.!?:…。！？]["')\]]*\s|\n/g;

export function lastSentenceEnd(text, from) {
  let end = from;
  SENTENCE_END.lastIndex = from;
  for (let match; (match = SENTENCE_END.exec(text)); ) end = match.index + match[0].length;
  return end;
}

export function Announcer({ text }) {
  const said = useRef(text.length); // what stood there when we came is not read out
  const latest = useRef(text);
  const [words, say] = useState("");
  latest.current = text;
  useEffect(() => {
    const timer = setInterval(() => {
      const end = lastSentenceEnd(latest.current, said.current);
      if (end <= said.current) return;
      say(latest.current.slice(said.current, end));
      said.current = end;
    }, PAUSE_MS);
    return () => clearInterval(timer);
  }, []);
  return (
    <span className="sr-only" aria-live="polite">
      {words}
    </span>
  );
}
