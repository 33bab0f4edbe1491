// A code block: its language, a copy button, and its lines in slices, so that a growing block of ten thousand lines
// rerenders only its last slice.

import { memo } from "react";
import { useWords } from "../../i18n/words.js";
import { CopyButton } from "../../ui/copy_button.jsx";
import { highlight } from "./highlight.jsx";

const SLICE = 50; // lines

/** @type {React.NamedExoticComponent<{ text: string, lang: string }>} */
const Slice = memo(function Slice({ text, lang }) {
  return <span className="code-slice">{highlight(text, lang)}</span>;
});

/** @param {string} text */
function slices(text) {
  const found = [];
  let from = 0;
  for (let at = 0, lines = 0; (at = text.indexOf("\n", at)) >= 0;) {
    at += 1;
    lines += 1;
    if (lines % SLICE === 0) {
      found.push(text.slice(from, at));
      from = at;
    }
  }
  found.push(text.slice(from));
  return found;
}

/** @param {{ lang: string | null, text: string }} props */
export function CodeBlock({ lang, text }) {
  const say = useWords();
  const name = (lang ?? "").split(/[\s{:]/)[0];
  return (
    <figure className="code" dir="ltr">
      <figcaption>
        <span>{name || say("markdown.text")}</span>
        <CopyButton text={text} label={say("markdown.copy_code")} />
      </figcaption>
      <pre
        tabIndex={0}
        role="region"
        aria-label={name ? say("markdown.code_in", { language: name }) : say("markdown.code")}
      >
        <code>
          {slices(text).map((slice, i) => (
            <Slice key={i} text={slice} lang={name} />
          ))}
        </code>
      </pre>
    </figure>
  );
}
