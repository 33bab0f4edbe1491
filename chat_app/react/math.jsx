// A formula. KaTeX comes with the first one: a page without formulas never loads it.

import { memo, useEffect, useReducer } from "react";

let katex = null; // the library, once it is there
let coming = null;

function load() {
  coming ??= Promise.all([import("katex"), import("katex/dist/katex.min.css")])
    .then(([module]) => (katex = module.default))
    .catch(() => (coming = null)); // out of reach: the next formula tries again
  return coming;
}

/** Nothing in a formula can run, load or link anything (`trust`), and none can grow without end. */
function typeset(text, display) {
  try {
    return katex.renderToString(text, { displayMode: display, trust: false, strict: false, maxSize: 50, maxExpand: 500 });
  } catch {
    return null; // not a formula after all: its source says more than an error
  }
}

/** `raw`, the source, stands there until it is typeset, and for good where it cannot be. */
export const Formula = memo(function Formula({ text, display = false, raw }) {
  const [, repaint] = useReducer((n) => n + 1, 0);
  useEffect(() => {
    let here = true;
    if (!katex) load().then(() => here && repaint());
    return () => (here = false);
  }, []);
  const html = katex && typeset(text, display);
  if (!html) return <code className="formula">{raw.trim()}</code>;
  const Tag = display ? "div" : "span";
  return <Tag className="formula" dir="ltr" tabIndex={display ? 0 : undefined} dangerouslySetInnerHTML={{ __html: html }} />;
});
