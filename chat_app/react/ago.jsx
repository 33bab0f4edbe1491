// When something was, in a word or two, and what that is by the clock.

import { useEffect, useState } from "react";
import { useLanguage, useWords } from "../words/words.js";
import { ago } from "./dates.js";

export function Ago({ at }) {
  const say = useWords();
  const language = useLanguage();
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 30_000);
    return () => clearInterval(timer);
  }, []);
  const date = new Date(at * 1000);
  return (
    <time dateTime={date.toISOString()} title={date.toLocaleString(language)} suppressHydrationWarning>
      {ago(at, now, say, language)}
    </time>
  );
}
