// Render a table that scrolls on its own when it is wider than the page. A finished row renders once.

import { memo } from "react";
import { useWords } from "../../i18n/words.js";
import { directionOf } from "../grammar/direction.js";
import { childrenOf } from "../grammar/grammar.js";
import { deeper, inline } from "./inline.jsx";

/** @import { Node } from "../grammar/grammar.js" */
/** @import { Place } from "./inline.jsx" */

const MAX_MIN_WIDTH = 16; // letters; a column with longer lines may shrink to this
const PADDING = "1.75rem"; // of a cell, both sides
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]/g; // two columns each
const ENDS_A_LINE = new Set(["html", "break", "formula"]);

/**
 * @param {Node} node
 * @returns {string}
 */
const wordsOf = (node) =>
  ENDS_A_LINE.has(node.type) ? "\n" : (node.value ?? childrenOf(node).map(wordsOf).join(""));
/** @param {string} line */
const widthOf = (line) => Math.min(MAX_MIN_WIDTH, line.length + (line.match(WIDE)?.length ?? 0));

/** @type {WeakMap<Node, number[]>} */
const known = new WeakMap(); // row -> widths, so that each row is measured once

/** @param {Node} row */
function widthsOf(row) {
  const widths =
    known.get(row) ?? childrenOf(row).map((cell) => Math.max(...wordsOf(cell).split("\n").map(widthOf)));
  known.set(row, widths);
  return widths;
}

/**
 * Return the minimum width of each column, in letters: that of its longest line, up to the limit.
 *
 * @param {Node} table
 * @returns {number[]}
 */
const lettersOf = (table) =>
  table.align.map((/** @type {unknown} */ _, /** @type {number} */ i) =>
    childrenOf(table).reduce((most, row) => Math.max(most, widthsOf(row)[i] ?? 0), 0),
  );

/**
 * @param {{
 *   node: Node,
 *   tag: "td" | "th",
 *   align: ("left" | "center" | "right" | null)[],
 *   letters?: number[],
 *   place: Place,
 * }} props
 */
function Row({ node, tag: Tag, align, letters, place }) {
  return (
    <tr>
      {align.map((side, i) => (
        <Tag
          key={i}
          dir="auto"
          style={{ textAlign: side ?? undefined, minWidth: letters && `calc(${letters[i]}ch + ${PADDING})` }}
        >
          {inline(childrenOf(node)[i]?.children, place)}
        </Tag>
      ))}
    </tr>
  );
}

/** @type {React.NamedExoticComponent<{ node: Node, align: any[], growing?: boolean, depth: number }>} */
const BodyRow = memo(
  function BodyRow({ node, align, growing, depth }) {
    return <Row node={node} tag="td" align={align} place={{ depth, growing }} />;
  },
  (a, b) => a.node === b.node && a.growing === b.growing && String(a.align) === String(b.align),
);

/** @param {{ node: Node, place: Place }} props */
export function Table({ node, place }) {
  const say = useWords();
  const [head, ...rows] = childrenOf(node);
  return (
    <div className="md-table" tabIndex={0} role="region" aria-label={say("markdown.table")}>
      <table dir={directionOf(node)}>
        <thead>
          <Row node={head} tag="th" align={node.align} letters={lettersOf(node)} place={deeper(place)} />
        </thead>
        {rows.length > 0 && (
          <tbody>
            {rows.map((row, i) => (
              <BodyRow
                key={i}
                node={row}
                align={node.align}
                depth={place.depth + 1}
                growing={place.growing && i === rows.length - 1}
              />
            ))}
          </tbody>
        )}
      </table>
    </div>
  );
}
