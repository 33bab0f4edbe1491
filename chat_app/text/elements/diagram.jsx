// A mermaid diagram. The library is loaded with the first one; until then, and for invalid source, the source is
// shown as code.

import { memo, useEffect, useId, useRef, useState } from "react";
import { useWords } from "../../i18n/words.js";
import { loadOnce } from "../../ui/browser.js";
import { CodeBlock } from "./code.jsx";

// Laying out more than this blocks the page for seconds.
const MAX_LENGTH = 8000; // characters
const STEP = /[-=.~]{2,}[>ox|]?|&|\n/g;
const MAX_STEPS = 240; // lines, and the connectors within them

// In some kinds a single number decides the size: columns and spaces, bits, circles, days, ticks of an axis.
/** @type {[kind: RegExp, count: RegExp][]} */
const COUNTS = [
  [/^\s*block\b/m, /(?:\bcolumns\s+|:\s*)\d{3,}/],
  [/^\s*packet\b/m, /\d{5,}/],
  [/^\s*radar\b/m, /\bticks\s+\d{3,}/],
  [/^\s*gantt\b/m, /\btickInterval\s+\d+\s*(?:milli)?second|,\s*\d{5,}(?:\.\d+)?\s*[a-z]|\b\d{5,}-\d/i],
];
const LONG_WORD = /\S{500}/; // mermaid measures one letter by letter

/** @param {string} text */
const hasHugeCount = (text) => COUNTS.some(([kind, count]) => kind.test(text) && count.test(text));

/** @param {string} text */
const isSmall = (text) =>
  text.length <= MAX_LENGTH &&
  (text.match(STEP)?.length ?? 0) <= MAX_STEPS &&
  !LONG_WORD.test(text) &&
  !hasHugeCount(text);

const load = loadOnce(() => import("mermaid").then((module) => module.default));

const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";

/** Return whether the page is dark, and follow changes. */
function useDark() {
  const [dark, setDark] = useState(false);
  useEffect(() => {
    const update = () => setDark(isDark());
    update();
    const observer = new MutationObserver(update);
    observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", update);
    return () => {
      observer.disconnect();
      system.removeEventListener("change", update);
    };
  }, []);
  return dark;
}

/**
 * Return the page's colours as mermaid's theme variables.
 *
 * @param {boolean} dark
 */
function colours(dark) {
  const style = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  const plain = {
    background: of("page"),
    primaryColor: of("muted"),
    secondaryColor: of("side"),
    tertiaryColor: of("side"),
  };
  const lines = {
    lineColor: of("faint"),
    primaryBorderColor: of("strong-line"),
    edgeLabelBackground: of("page"),
  };
  return { darkMode: dark, ...plain, ...lines, primaryTextColor: of("text"), textColor: of("text") };
}

/** Append a hidden element to lay a diagram out in: a visible one would lengthen the page for a moment. */
function appendSandbox() {
  const sandbox = document.createElement("div");
  sandbox.style.cssText = "position:absolute;inset:0 0 auto;height:0;overflow:hidden;visibility:hidden";
  document.body.append(sandbox);
  return sandbox;
}

/**
 * Render a diagram as SVG; null if `text` is not one. "strict" keeps labels as text and allows no links or scripts.
 *
 * @param {string} id
 * @param {string} text
 * @param {boolean} dark
 */
async function render(id, text, dark) {
  const mermaid = isSmall(text) ? await load() : null;
  if (!mermaid) return null;
  const options = {
    theme: "base",
    themeVariables: colours(dark),
    securityLevel: "strict",
    htmlLabels: false,
    fontFamily: "inherit",
  };
  mermaid.initialize({ ...options, startOnLoad: false, suppressErrorRendering: true });
  if (!(await mermaid.parse(text, { suppressErrors: true }))) return null;
  const sandbox = appendSandbox();
  try {
    return (await mermaid.render(id, text, sandbox)).svg;
  } finally {
    sandbox.remove();
  }
}

/**
 * Return the natural width of a diagram, in pixels: it may be scaled down, but its labels must stay legible.
 *
 * @param {string} svg
 */
const widthOf = (svg) => Number(/viewBox="[-\d.]+ [-\d.]+ ([\d.]+)/.exec(svg)?.[1] ?? 0);

/** @type {React.NamedExoticComponent<{ text: string }>} */
export const Diagram = memo(function Diagram({ text }) {
  const say = useWords();
  const dark = useDark();
  const id = `diagram-${useId().replace(/[^\w-]/g, "")}`;
  const renders = useRef(0); // mermaid removes any element that has the id of a new diagram
  const [svg, setSvg] = useState(null);
  useEffect(() => {
    let mounted = true;
    render(`${id}-${++renders.current}`, text, dark)
      .catch(() => "")
      .then((rendered) => mounted && setSvg(rendered));
    return () => {
      mounted = false;
    };
  }, [id, text, dark]);
  if (!svg) return <CodeBlock lang="mermaid" text={text} />;
  return (
    <figure className="diagram" dir="ltr">
      <div
        tabIndex={0}
        role="img"
        style={/** @type {React.CSSProperties} */ ({ "--natural": `${widthOf(svg)}px` })}
        aria-label={say("markdown.diagram")}
        dangerouslySetInnerHTML={{ __html: svg }}
      />
      <details>
        <summary>{say("markdown.source")}</summary>
        <CodeBlock lang="mermaid" text={text} />
      </details>
    </figure>
  );
});
