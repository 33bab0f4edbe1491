// Refuses a text that is longer than the server accepts, and leaves it in the field: a much longer one would close the
// WebSocket.

import { useWords } from "../i18n/words.js";

const MAX_TEXT = 4_000_000; // characters, as the server's MAX_PROMPT_CHARS

/** @param {string} text */
export const isTooLong = (text) => text.length > MAX_TEXT;

/**
 * Error for a text of `length` characters, which is too long; nothing for 0.
 *
 * @param {{ length: number }} props
 */
export function TooLong({ length }) {
  return length > 0 && <Refusal length={length} />;
}

/** @param {{ length: number }} props */
function Refusal({ length }) {
  const say = useWords();
  const [size, most] = [length, MAX_TEXT].map((number) =>
    number.toLocaleString(document.documentElement.lang || "en"),
  );
  return (
    <p className="callout" role="alert" data-testid="too-long">
      {say("composer.too_long", { size, most })}
    </p>
  );
}
