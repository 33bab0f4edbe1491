// References to footnotes, and the order in which footnotes are shown.

import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import { childrenOf, walk } from "./grammar.js";

/** @import { Node } from "./grammar.js" */

/**
 * Return the labels of the footnotes that nodes refer to, in document order.
 *
 * @param {Node[]} nodes
 */
export const referredIn = (nodes) =>
  [...walk(nodes, "footnoteDefinition")]
    .filter(({ type }) => type === "footnoteReference")
    .map(({ identifier }) => normalizeIdentifier(identifier));

/**
 * Return the labels of the footnotes to show, without duplicates: those that the text refers to, in its order, then
 * those that other footnotes refer to.
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
