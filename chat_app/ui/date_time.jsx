// A moment as the person's language and time zone say it.

import { useLanguage } from "../i18n/words.js";

/** @type {Intl.DateTimeFormatOptions} */
const STYLE = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };

/**
 * `at` is seconds since the epoch; a moment of another year says which.
 *
 * @param {{ at: number }} props
 */
export function Moment({ at }) {
  const language = useLanguage();
  const date = new Date(at * 1000);
  /** @type {Intl.DateTimeFormatOptions} */
  const year = date.getFullYear() === new Date().getFullYear() ? {} : { year: "numeric" };
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString(language)} suppressHydrationWarning>
      {date.toLocaleString(language, { ...STYLE, ...year })}
    </time>
  );
}
