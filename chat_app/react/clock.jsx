// Live seconds: how long something has been running, and how long until something happens.

import { useEffect, useRef, useState } from "react";
import { useWords } from "../../words/words.js";

function useNow(every) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export function duration(seconds) {
  if (seconds < 0.0995) return `${Math.max(1, Math.round(seconds * 1000))} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Time since `since` (seconds since the epoch). */
export function Elapsed({ since }) {
  const now = useNow(100);
  return <span className="seconds">{duration(Math.max(0, now / 1000 - since))}</span>;
}

/** Whole seconds left of `seconds`, counted from when this value came, so that clocks need not agree. */
export function Countdown({ seconds }) {
  const say = useWords();
  const came = useRef({ seconds, at: Date.now() });
  if (came.current.seconds !== seconds) came.current = { seconds, at: Date.now() };
  const now = useNow(250);
  const left = Math.ceil(came.current.seconds - (now - came.current.at) / 1000);
  const words = left > 0 ? say("turn.in_seconds", "in {seconds} s", { seconds: left }) : say("turn.now", "now");
  return <span className="seconds">{words}</span>;
}
