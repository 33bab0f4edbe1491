// Definitions that the parts of a message share: the targets of its links, and the numbers of its footnotes.

import { createContext, useContext } from "react";
import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import { useWords } from "../../i18n/words.js";

/** @import { Node } from "../grammar/grammar.js" */
/**
 * Definitions that the parts of a message share: those of links and footnotes by label, and the labels of the
 * footnotes that are shown; `name` is told apart from every other message.
 *
 * @typedef {{ name: string, links: Map<string, Node>, notes: Map<string, Node>, order: string[] }} Known
 */

export const Definitions = createContext(
  /** @type {Known} */ ({ name: "", links: new Map(), notes: new Map(), order: [] }),
);

/**
 * The definition of a link.
 *
 * @param {string} label
 */
export const useDefinition = (label) => useContext(Definitions).links.get(normalizeIdentifier(label));

// The address names the message that is read; so a link within one moves the view and leaves the address.
/**
 * @param {React.MouseEvent} event
 * @param {string} selector
 */
function leadTo(event, selector) {
  event.preventDefault();
  /** @type {HTMLElement | null | undefined} */
  const place = event.currentTarget.closest(".md")?.querySelector(selector);
  place?.scrollIntoView({ block: "center" });
  place?.focus({ preventScroll: true });
}

/**
 * The number of a footnote, which leads to it.
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
        onClick={(event) => leadTo(event, `#${CSS.escape(id)}`)}
      >
        {number}
      </a>
    </sup>
  );
}

/**
 * The way from a footnote back to where it is referred to.
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
      onClick={(event) => leadTo(event, `[data-note="${number}"]`)}
    >
      ↩
    </a>
  );
}
