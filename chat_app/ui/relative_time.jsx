// When something was, in a word or two, and what that is by the clock.

import { useLanguage, useWords } from "../i18n/words.js";
import { useNow } from "./durations.jsx";

const DAY = 86_400; // seconds

/**
 * How long ago, in a word or two.
 *
 * @param {number} at
 * @param {number} now
 * @param {import("../i18n/words.js").Say} say
 * @param {string} language
 */
export function ago(at, now, say, language) {
  const seconds = Math.max(0, now / 1000 - at);
  if (seconds < 60) return say("sidebar.ago_now");
  if (seconds < 3600) return say("sidebar.ago_minutes", { count: Math.floor(seconds / 60) });
  if (seconds < DAY) return say("sidebar.ago_hours", { count: Math.floor(seconds / 3600) });
  if (seconds < 7 * DAY) return say("sidebar.ago_days", { count: Math.floor(seconds / DAY) });
  return new Date(at * 1000).toLocaleDateString(language, { day: "numeric", month: "short" });
}

/** @param {{ at: number }} props */
export function Ago({ at }) {
  const say = useWords();
  const language = useLanguage();
  const now = useNow(30_000);
  const date = new Date(at * 1000);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString(language)} suppressHydrationWarning>
      {ago(at, now, say, language)}
    </time>
  );
}
