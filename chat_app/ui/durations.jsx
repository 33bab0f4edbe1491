// Durations, stopwatches and countdowns.

import { useCallback, useEffect, useState } from "react";
import { useLanguage, useWords } from "../i18n/words.js";

/**
 * Return the browser's time in milliseconds, updated every `every` milliseconds.
 *
 * @param {number} every
 */
export function useNow(every) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

/**
 * Return a function that formats seconds as briefly as a stopwatch does.
 *
 * @returns {(seconds: number) => string}
 */
export function useDuration() {
  const say = useWords();
  const language = useLanguage();
  return useCallback(
    (seconds) => {
      const tenth = () =>
        seconds.toLocaleString(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
      if (seconds < 0.0995)
        return say("time.milliseconds", { milliseconds: Math.max(1, Math.round(seconds * 1000)) });
      if (seconds < 60) return say("time.seconds", { seconds: seconds < 10 ? tenth() : Math.floor(seconds) });
      const minutes = Math.floor(seconds / 60);
      if (minutes < 60) return say("time.minutes", { minutes, seconds: Math.floor(seconds % 60) });
      return say("time.hours", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
    },
    [say, language],
  );
}

/**
 * Time since `since` (seconds since the epoch).
 *
 * @param {{ since: number }} props
 */
export function Elapsed({ since }) {
  const now = useNow(100);
  const duration = useDuration();
  return <span className="seconds">{duration(Math.max(0, now / 1000 - since))}</span>;
}

/**
 * Duration of something that has ended, in seconds.
 *
 * @param {{ seconds: number }} props
 */
export function Lasted({ seconds }) {
  return useDuration()(seconds);
}

/**
 * Countdown of `seconds`, which starts when the value arrives, so that the server's clock may differ.
 *
 * @param {{ seconds: number }} props
 */
export function Countdown({ seconds }) {
  return <Left key={seconds} seconds={seconds} />;
}

/** @param {{ seconds: number }} props */
function Left({ seconds }) {
  const say = useWords();
  const [started] = useState(() => Date.now());
  const now = useNow(250);
  const left = Math.ceil(seconds - (now - started) / 1000);
  const words = left > 0 ? say("turn.in_seconds", { seconds: left }) : say("turn.now");
  return <span className="seconds">{words}</span>;
}
