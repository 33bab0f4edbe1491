// Which footnotes a text refers to, and in which order they are shown.

import { normalizeIdentifier } from "micromark-util-normalize-identifier";

/** @import { Node } from "./grammar.js" */

/**
 * The labels of the footnotes that nodes refer to, in their order.
 *
 * @param {Node[]} nodes
 */
export function referredIn(nodes) {
  /** @type {string[]} */
  const found = [];
  for (const todo = [...nodes].reverse(); todo.length;) {
    const node = todo.pop();
    if (node.type === "footnoteReference") found.push(normalizeIdentifier(node.identifier));
    if (node.children && node.type !== "footnoteDefinition") todo.push(...[...node.children].reverse());
  }
  return found;
}

/**
 * The labels of the footnotes that are shown, each once: in the order of the text, then of the footnotes.
 *
 * @param {string[]} labels
 * @param {Map<string, Node>} notes
 */
export function orderOf(labels, notes) {
  const order = new Set(labels.filter((label) => notes.has(label)));
  for (const label of order)
    for (const next of referredIn(notes.get(label).children)) if (notes.has(next)) order.add(next);
  return [...order];
}
