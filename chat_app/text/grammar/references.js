// References to footnotes, and the order in which footnotes are shown.

import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import { childrenOf, walk } from "./grammar.js";

/** @import { Node } from "./grammar.js" */

/**
 * The labels of the footnotes that nodes refer to, in their order.
 *
 * @param {Node[]} nodes
 */
export const referredIn = (nodes) =>
  [...walk(nodes, "footnoteDefinition")]
    .filter(({ type }) => type === "footnoteReference")
    .map(({ identifier }) => normalizeIdentifier(identifier));

/**
 * The labels of the footnotes that are shown, each once: in the order of the text, then of the footnotes.
 *
 * @param {string[]} labels
 * @param {Map<string, Node>} notes
 */
export function orderOf(labels, notes) {
  const order = new Set(labels.filter((label) => notes.has(label)));
  for (const label of order)
    for (const next of referredIn(childrenOf(notes.get(label)))) if (notes.has(next)) order.add(next);
  return [...order];
}
