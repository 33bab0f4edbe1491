// The inline nodes of a paragraph as React elements. Nothing in the text can run or load anything: an image becomes a
// link, a link must be http, https or mailto, and only a few HTML elements are allowed (html.js).

import { Fragment } from "react";
import { normalizeUri } from "micromark-util-sanitize-uri";
import { useWords } from "../../i18n/words.js";
import { NoteLink, useDefinition } from "./footnotes.jsx";
import { walk } from "../grammar/grammar.js";
import { withElements } from "../grammar/html.js";
import { Formula } from "./math.jsx";

/** @import { Node } from "../grammar/grammar.js" */
/**
 * Context of a node: its depth, whether it is inside a link, and whether the text around it is still streaming.
 *
 * @typedef {{ depth: number, growing?: boolean, linked?: boolean }} Place
 */

const SAFE_URL = /^(?:https?:\/\/|mailto:)/i;
const MAX_DEPTH = 100; // nodes nested deeper are shown as text

/** Return the context of a child. @type {(place: Place, change?: Partial<Place>) => Place} */
export const deeper = (place, change) => ({ ...place, ...change, depth: place.depth + 1 });
/** @param {Place} place */
export const isTooDeep = ({ depth }) => depth > MAX_DEPTH;

/**
 * Return the text of a node and its descendants, without recursion.
 *
 * @param {Node} node
 */
export const flat = (node) => [...walk([node])].flatMap(({ value }) => value || []).join(" ");

/** @param {{ url: string, title?: string, label: React.ReactNode }} props */
function Link({ url, title, label }) {
  if (!SAFE_URL.test(url)) return label;
  return (
    <a href={normalizeUri(url)} title={title || undefined} target="_blank" rel="noopener noreferrer nofollow">
      {label}
    </a>
  );
}

/** @param {{ alt: string }} props */
function Image({ alt }) {
  const say = useWords();
  return alt || say("markdown.image");
}

/** @param {{ node: Node, label: React.ReactNode }} props */
function Reference({ node, label }) {
  const definition = useDefinition(node.identifier);
  return <Link url={definition?.url ?? ""} title={definition?.title} label={label} />;
}

/** @param {Place} place */
const linked = (place) => deeper(place, { linked: true });
/**
 * @type {(node: Node, place: Place, link: (label: React.ReactNode) => React.ReactNode) => React.ReactNode}
 */
const image = (node, place, link) =>
  place.linked ? <Image alt={node.alt} /> : link(<Image alt={node.alt} />);
/** @type {(node: Node) => (label: React.ReactNode) => React.ReactNode} */
const link = (node) => (label) => <Link url={node.url} title={node.title} label={label} />;
/** @type {(node: Node) => (label: React.ReactNode) => React.ReactNode} */
const reference = (node) => (label) => <Reference node={node} label={label} />;

/** @type {Record<string, (node: Node, place: Place) => React.ReactNode>} */
const INLINE = {
  text: (node) => node.value,
  strong: (node, place) => <strong>{inline(node.children, deeper(place))}</strong>,
  emphasis: (node, place) => <em>{inline(node.children, deeper(place))}</em>,
  delete: (node, place) => <del>{inline(node.children, deeper(place))}</del>,
  inlineCode: (node) => <code dir="ltr">{node.value}</code>,
  break: () => <br />,
  link: (node, place) => link(node)(inline(node.children, linked(place))),
  linkReference: (node, place) => reference(node)(inline(node.children, linked(place))),
  image: (node, place) => image(node, place, link(node)),
  imageReference: (node, place) => image(node, place, reference(node)),
  footnoteReference: (node, place) => <NoteLink label={node.identifier} isPlain={place.linked} />,
  formula: (node) => <Formula text={node.value} display={node.display} raw={node.raw} />,
  element: ({ name: Tag, props, children = [] }, place) =>
    children.length ? <Tag {...props}>{inline(children, deeper(place))}</Tag> : <Tag {...props} />,
};

/**
 * Render the nodes of a paragraph.
 *
 * @param {Node[] | undefined} nodes
 * @param {Place} place
 * @returns {React.ReactNode}
 */
export function inline(nodes = [], place) {
  return withElements(nodes, place.growing).map((node, i) => {
    const render = isTooDeep(place) && node.children ? flat : INLINE[node.type];
    return <Fragment key={i}>{render?.(node, place)}</Fragment>;
  });
}
