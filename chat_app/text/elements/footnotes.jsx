// Definitions that the parts of a message share: the targets of its links, and the numbers of its footnotes.

import { createContext, useContext } from "react";
import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import { useWords } from "../../i18n/words.js";

/** @import { Node } from "../grammar/grammar.js" */
/**
 * Definitions that the parts of a message share: links and footnotes by label, and the labels of the footnotes that
 * are shown, in order. `name` is unique to the message.
 *
 * @typedef {{ name: string, links: Map<string, Node>, notes: Map<string, Node>, order: string[] }} Known
 */

export const Definitions = createContext(
  /** @type {Known} */ ({ name: "", links: new Map(), notes: new Map(), order: [] }),
);

/**
 * Return the definition of a link.
 *
 * @param {string} label
 */
export const useDefinition = (label) => useContext(Definitions).links.get(normalizeIdentifier(label));

/**
 * Scroll to an element of the same text. The URL stays unchanged, because its fragment names the message.
 *
 * @param {React.MouseEvent} event
 * @param {string} selector
 */
function scrollToElement(event, selector) {
  event.preventDefault();
  /** @type {HTMLElement | null | undefined} */
  const target = event.currentTarget.closest(".md")?.querySelector(selector);
  target?.scrollIntoView({ block: "center" });
  target?.focus({ preventScroll: true });
}

/**
 * Number of a footnote, with a link to it.
 *
 * @param {{ label: string, isPlain?: boolean }} props
 */
export function NoteLink({ label, isPlain = false }) {
  const say = useWords();
  const { name, order } = useContext(Definitions);
  const number = order.indexOf(normalizeIdentifier(label)) + 1;
  if (isPlain || !number) return <sup>{number || label}</sup>;
  const id = `${name}-note-${number}`;
  return (
    <sup className="md-note">
      <a
        href={`#${id}`}
        data-note={number}
        aria-label={say("markdown.note", { number })}
        onClick={(event) => scrollToElement(event, `#${CSS.escape(id)}`)}
      >
        {number}
      </a>
    </sup>
  );
}

/**
 * Link from a footnote back to its first reference.
 *
 * @param {{ number: number }} props
 */
export function NoteBack({ number }) {
  const say = useWords();
  const label = say("markdown.note_back", { number });
  return (
    <a
      href="#"
      className="md-note-back"
      aria-label={label}
      title={label}
      onClick={(event) => scrollToElement(event, `[data-note="${number}"]`)}
    >
      ↩
    </a>
  );
}
