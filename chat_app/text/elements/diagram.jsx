// A mermaid diagram. The library comes with the first one; until then, and where the source is no
// diagram, the source stands there as code.

import { memo, useEffect, useId, useRef, useState } from "react";
import { useWords } from "../../i18n/words.js";
import { loadOnce } from "../../ui/browser.js";
import { CodeBlock } from "./code.jsx";

// Laying out more than this takes the page for seconds.
const LONGEST = 8000; // characters
const STEP = /[-=.~]{2,}[>ox|]?|&|\n/g;
const MOST_STEPS = 240; // lines, and what joins two things in them

// In some kinds a single number says how much is drawn: columns and spaces, bits, circles, days, marks on an axis.
/** @type {[kind: RegExp, count: RegExp][]} */
const COUNTS = [
  [/^\s*block\b/m, /(?:\bcolumns\s+|:\s*)\d{3,}/],
  [/^\s*packet\b/m, /\d{5,}/],
  [/^\s*radar\b/m, /\bticks\s+\d{3,}/],
  [/^\s*gantt\b/m, /\btickInterval\s+\d+\s*(?:milli)?second|,\s*\d{5,}(?:\.\d+)?\s*[a-z]|\b\d{5,}-\d/i],
];
const LONG_WORD = /\S{500}/; // it is measured letter by letter

/** @param {string} text */
const isEndless = (text) => COUNTS.some(([kind, count]) => kind.test(text) && count.test(text));

/** @param {string} text */
const isBearable = (text) =>
  text.length <= LONGEST &&
  (text.match(STEP)?.length ?? 0) <= MOST_STEPS &&
  !LONG_WORD.test(text) &&
  !isEndless(text);

const load = loadOnce(() => import("mermaid").then((module) => module.default));

const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";

/** Light or dark, as the page is now. */
function useDark() {
  const [dark, setDark] = useState(false);
  useEffect(() => {
    const look = () => setDark(isDark());
    look();
    const watch = new MutationObserver(look);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", look);
    return () => {
      watch.disconnect();
      system.removeEventListener("change", look);
    };
  }, []);
  return dark;
}

/**
 * The page's own colours, in mermaid's words.
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

/** A place beside the page to lay a diagram out in: in the page itself it would make it longer for a moment. */
function drawingBoard() {
  const board = document.createElement("div");
  board.style.cssText = "position:absolute;inset:0 0 auto;height:0;overflow:hidden;visibility:hidden";
  document.body.append(board);
  return board;
}

/**
 * The diagram as SVG, or null when `text` is none. Labels are text and nothing links or runs ("strict").
 *
 * @param {string} id
 * @param {string} text
 * @param {boolean} dark
 */
async function draw(id, text, dark) {
  const mermaid = isBearable(text) ? await load() : null;
  if (!mermaid) return null;
  const look = {
    theme: "base",
    themeVariables: colours(dark),
    securityLevel: "strict",
    htmlLabels: false,
    fontFamily: "inherit",
  };
  mermaid.initialize({ ...look, startOnLoad: false, suppressErrorRendering: true });
  if (!(await mermaid.parse(text, { suppressErrors: true }))) return null;
  const board = drawingBoard();
  try {
    return (await mermaid.render(id, text, board)).svg;
  } finally {
    board.remove();
  }
}

/**
 * The natural width of a diagram, in pixels: it may be drawn smaller, but its words must stay legible.
 *
 * @param {string} svg
 */
const widthOf = (svg) => Number(/viewBox="[-\d.]+ [-\d.]+ ([\d.]+)/.exec(svg)?.[1] ?? 0);

/** @type {React.NamedExoticComponent<{ text: string }>} */
export const Diagram = memo(function Diagram({ text }) {
  const say = useWords();
  const dark = useDark();
  const id = `diagram-${useId().replace(/[^\w-]/g, "")}`;
  const drawings = useRef(0); // mermaid takes whatever has the id of a new drawing off the page
  const [svg, setSvg] = useState(null);
  useEffect(() => {
    let here = true;
    draw(`${id}-${++drawings.current}`, text, dark)
      .catch(() => "")
      .then((drawn) => here && setSvg(drawn));
    return () => {
      here = false;
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
