// A formula. KaTeX is loaded with the first one, so a page without formulas never loads it.

import { memo, useEffect, useReducer } from "react";
import { loadOnce } from "../../ui/browser.js";

const MAX_LENGTH = 10_000; // characters
const CHEMISTRY = /\\(?:ce|pu)\b/;

/** @typedef {typeof import("katex").default} Katex */
/** @type {Katex | null} */
let katex = null; // the library, once it is loaded

const load = loadOnce(() =>
  Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(
    ([module]) => (katex = module.default),
  ),
);
const loadChemistry = loadOnce(() => load().then(() => import("katex/contrib/mhchem"))); // for \ce and \pu

/**
 * Reject a formula with a link, an image or a style of its own, of which KaTeX would show the command's name only.
 *
 * @returns {never}
 */
function refuse() {
  throw new Error("A formula has no links, images or styles.");
}

/**
 * Typeset a formula as HTML; null if KaTeX rejects it. The two limits bound its size.
 *
 * @param {Katex} katex
 * @param {string} text
 * @param {boolean} display
 */
function typeset(katex, text, display) {
  try {
    return katex.renderToString(text, {
      displayMode: display,
      trust: refuse,
      errorColor: "inherit",
      strict: false,
      maxSize: 50,
      maxExpand: 500,
    });
  } catch {
    return null; // not a formula after all: its source is more useful than an error
  }
}

/**
 * Formula. `raw`, its source, is shown until KaTeX is loaded, and for good if KaTeX rejects it.
 *
 * @type {React.NamedExoticComponent<{ text: string, display?: boolean, raw: string, isBlock?: boolean }>}
 */
export const Formula = memo(function Formula({ text, display = false, raw, isBlock = false }) {
  const [, repaint] = useReducer((n) => n + 1, 0);
  const needsChemistry = CHEMISTRY.test(text);
  useEffect(() => {
    let mounted = true;
    const needed = needsChemistry ? loadChemistry() : katex ? null : load();
    needed?.then(() => mounted && repaint());
    return () => {
      mounted = false;
    };
  }, [needsChemistry]);
  const html = katex && text.length <= MAX_LENGTH ? typeset(katex, text, display) : null;
  const Tag = isBlock ? "div" : "span";
  if (!html)
    return (
      <Tag className="formula">
        <code dir="ltr">{raw.trim()}</code>
      </Tag>
    );
  return (
    <Tag
      className={display ? "formula display" : "formula"}
      dir="ltr"
      tabIndex={display ? 0 : undefined}
      dangerouslySetInnerHTML={{ __html: html }}
    />
  );
});
