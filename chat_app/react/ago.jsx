// When something was, in a word or two, and what that is by the clock.

import { useLanguage, useWords } from "../words/words.js";
import { useNow } from "./clock.jsx";
import { ago } from "./dates.js";

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
