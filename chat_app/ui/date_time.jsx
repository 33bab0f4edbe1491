// Dates and relative times in the user's language and time zone.

import { useLanguage, useWords } from "../i18n/words.js";
import { useNow } from "./durations.jsx";

/** @type {Intl.DateTimeFormatOptions} */
const STYLE = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const DAY = 86_400; // seconds

/** @param {{ date: Date, language: string, children: React.ReactNode }} props */
function Time({ date, language, children }) {
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString(language)} suppressHydrationWarning>
      {children}
    </time>
  );
}

/**
 * Date and time of `at`, in seconds since the epoch; the year is shown unless it is the current one.
 *
 * @param {{ at: number }} props
 */
export function Moment({ at }) {
  const language = useLanguage();
  const date = new Date(at * 1000);
  /** @type {Intl.DateTimeFormatOptions} */
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return (
    <Time date={date} language={language}>
      {date.toLocaleString(language, { ...STYLE, ...year })}
    </Time>
  );
}

/**
 * Format the time since `at` in a word or two.
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
  return (
    <Time date={new Date(at * 1000)} language={language}>
      {ago(at, now, say, language)}
    </Time>
  );
}
