// A formula. KaTeX comes with the first one: a page without formulas never loads it.

import { memo, useEffect, useReducer } from "react";
import { loadOnce } from "../../ui/browser.js";

const LONGEST = 10_000; // characters
const CHEMISTRY = /\\(?:ce|pu)\b/;

/** @typedef {typeof import("katex").default} Katex */
/** @type {Katex | null} */
let katex = null; // the library, once it is there

const load = loadOnce(() =>
  Promise.all([import("katex"), import("katex/dist/katex.min.css")]).then(
    ([module]) => (katex = module.default),
  ),
);
const loadChemistry = loadOnce(() => load().then(() => import("katex/contrib/mhchem"))); // for \ce and \pu

/**
 * Nothing in a formula can run, load or link anything (`trust`), and none can grow without end.
 *
 * @param {Katex} katex
 * @param {string} text
 * @param {boolean} display
 */
function typeset(katex, text, display) {
  try {
    return katex.renderToString(text, {
      displayMode: display,
      trust: false,
      strict: false,
      maxSize: 50,
      maxExpand: 500,
    });
  } catch {
    return null; // not a formula after all: its source says more than an error
  }
}

/**
 * `raw`, the source, stands there until it is typeset, and for good where it cannot be.
 *
 * @type {React.NamedExoticComponent<{ text: string, display?: boolean, raw: string, isBlock?: boolean }>}
 */
export const Formula = memo(function Formula({ text, display = false, raw, isBlock = false }) {
  const [, repaint] = useReducer((n) => n + 1, 0);
  const needsChemistry = CHEMISTRY.test(text);
  useEffect(() => {
    let here = true;
    const needed = needsChemistry ? loadChemistry() : katex ? null : load();
    needed?.then(() => here && repaint());
    return () => {
      here = false;
    };
  }, [needsChemistry]);
  const html = katex && text.length <= LONGEST ? typeset(katex, text, display) : null;
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
