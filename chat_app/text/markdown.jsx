// Markdown blocks as React elements.

import { Fragment, memo, useEffect, useId, useLayoutEffect, useMemo, useReducer, useRef } from "react";
import { normalizeIdentifier } from "micromark-util-normalize-identifier";
import { useWords } from "../i18n/words.js";
import { alertOf, Alert } from "./elements/alert.jsx";
import { Blocks, definitionsIn } from "./grammar/blocks.js";
import { Boundary, PlainText } from "./elements/error_boundary.jsx";
import { CodeBlock } from "./elements/code.jsx";
import { Diagram } from "./elements/diagram.jsx";
import { directionOf } from "./grammar/direction.js";
import { childrenOf } from "./grammar/grammar.js";
import { Definitions, NoteBack } from "./elements/footnotes.jsx";
import { withDetails } from "./grammar/html.js";
import { deeper, flat, inline, isTooDeep } from "./elements/inline.jsx";
import { Formula } from "./elements/math.jsx";
import { orderOf, referredIn } from "./grammar/references.js";
import { Table } from "./elements/table.jsx";

/** @import { Node } from "./grammar/grammar.js" */
/** @import { Place } from "./elements/inline.jsx" */

/** @param {{ checked: boolean }} props */
function Checkbox({ checked }) {
  const say = useWords();
  const label = checked ? say("markdown.done") : say("markdown.to_do");
  return <input type="checkbox" checked={checked} disabled readOnly aria-label={label} />;
}

/** @param {{ node: Node, place: Place }} props */
function Heading({ node, place }) {
  const Tag = /** @type {"h2"} */ (`h${Math.min(6, node.depth + 1)}`); // the page's own heading is the first
  return (
    <Tag dir="auto" className={`md-h${node.depth}`}>
      {inline(node.children, place)}
    </Tag>
  );
}

/** @param {{ node: Node, place: Place }} props */
function List({ node, place }) {
  const Tag = node.ordered ? "ol" : "ul";
  const items = childrenOf(node);
  const loose = node.spread || items.some((item) => item.spread);
  return (
    <Tag start={node.ordered && node.start !== 1 ? node.start : undefined} dir={directionOf(node)}>
      {items.map((item, i) => (
        <Item
          key={i}
          node={item}
          loose={loose}
          depth={place.depth}
          growing={place.growing && i === items.length - 1}
        />
      ))}
    </Tag>
  );
}

/**
 * List item; in a tight list its paragraphs are plain lines.
 *
 * @type {React.NamedExoticComponent<{ node: Node, loose: boolean, depth: number, growing?: boolean }>}
 */
const Item = memo(function Item({ node, loose, depth, growing }) {
  const place = { depth: depth + 1, growing };
  const box = node.checked == null ? null : <Checkbox checked={node.checked} />;
  const [first, ...rest] = childrenOf(node);
  const inside = box && loose && first?.type === "paragraph"; // the checkbox belongs in its first line
  return (
    <li className={box ? "md-task" : undefined}>
      {!inside && box}
      {inside && (
        <p dir="auto">
          {box}
          {inline(first.children, place)}
        </p>
      )}
      {blocks(inside ? rest : node.children, place, loose)}
    </li>
  );
});

/** @param {{ node: Node, place: Place }} props */
function Code({ node, place }) {
  const writing = node.open || place.growing;
  if (node.lang === "mermaid" && !writing)
    return (
      <Boundary fallback={<CodeBlock lang="mermaid" text={node.value} />}>
        <Diagram text={node.value} />
      </Boundary>
    );
  if (node.lang === "math" && !writing) return <Formula text={node.value} display raw={node.value} isBlock />;
  return <CodeBlock lang={node.lang} text={node.value} />;
}

/** @param {{ node: Node, place: Place }} props */
function BlockFormula({ node, place }) {
  if (node.closed) return <Formula text={node.value} display raw={node.raw} isBlock />;
  return place.growing ? <CodeBlock lang="tex" text={node.value} /> : <PlainText text={node.raw.trim()} />;
}

/** @param {{ node: Node, place: Place }} props */
function Quote({ node, place }) {
  const alert = alertOf(node);
  if (alert)
    return (
      <Alert kind={alert.kind} dir={directionOf(alert)}>
        {blocks(alert.children, deeper(place))}
      </Alert>
    );
  return <blockquote dir={directionOf(node)}>{blocks(node.children, deeper(place))}</blockquote>;
}

/**
 * <details>, whose finished blocks render once too, or its <summary>, which is one line.
 *
 * @param {{ node: Node, place: Place }} props
 */
function Element({ node, place }) {
  const { name: Tag, props, children = [] } = node;
  const inside = deeper(place);
  if (Tag === "details")
    return (
      <details {...props} className="md-details" dir={directionOf(node)}>
        {children.map((child, i) => (
          <Block
            key={i}
            node={child}
            depth={inside.depth}
            growing={place.growing && i === children.length - 1}
          />
        ))}
      </details>
    );
  return (
    <summary>
      {children.map((child, i) => (
        <Fragment key={i}>
          {child.type === "htmlText" ? inline(child.children, inside) : block(child, inside)}
        </Fragment>
      ))}
    </summary>
  );
}

/** @type {Record<string, (node: Node, place: Place) => React.ReactNode>} */
const BLOCK = {
  thematicBreak: () => <hr />,
  paragraph: (node, place) => <p dir="auto">{inline(node.children, place)}</p>,
  heading: (node, place) => <Heading node={node} place={place} />,
  code: (node, place) => <Code node={node} place={place} />,
  formulaBlock: (node, place) => <BlockFormula node={node} place={place} />,
  blockquote: (node, place) => <Quote node={node} place={place} />,
  list: (node, place) => <List node={node} place={place} />,
  table: (node, place) => <Table node={node} place={place} />,
  htmlText: (node, place) => (
    <p className="md-html" dir="auto">
      {inline(node.children, place)}
    </p>
  ),
  element: (node, place) => <Element node={node} place={place} />,
  plain: (node) => <PlainText text={node.value} />,
};

/**
 * @param {Node} node
 * @param {Place} place
 * @returns {React.ReactNode}
 */
function block(node, place) {
  if (isTooDeep(place)) return <p dir="auto">{flat(node)}</p>;
  return BLOCK[node.type]?.(node, place) ?? null; // a definition renders nothing
}

/**
 * One block, memoized by its node. In a tight list a paragraph is a plain line.
 *
 * @type {React.NamedExoticComponent<{ node: Node, depth: number, growing?: boolean, loose?: boolean }>}
 */
const Block = memo(function Block({ node, depth, growing, loose = true }) {
  const place = { depth, growing };
  return !loose && node.type === "paragraph" ? inline(node.children, place) : block(node, place);
});

/**
 * @param {Node[] | undefined} nodes
 * @param {Place} place
 */
function blocks(nodes = [], { depth, growing }, loose = true) {
  const all = withDetails(nodes);
  return all.map((node, i) => (
    <Block key={i} node={node} depth={depth} growing={growing && i === all.length - 1} loose={loose} />
  ));
}

/** @param {import("./elements/footnotes.jsx").Known} props */
function Notes({ name, notes, order }) {
  const say = useWords();
  const shown = order.flatMap((label) => notes.get(label) ?? []);
  if (!shown.length) return null;
  return (
    <section className="md-notes" dir={directionOf(shown[0])} aria-label={say("markdown.notes")}>
      <ol>
        {shown.map((note, i) => (
          <li key={order[i]} id={`${name}-note-${i + 1}`} tabIndex={-1}>
            {blocks(note.children, { depth: 1, growing: false })}
            <NoteBack number={i + 1} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** @type {(definition: Node) => [label: string, definition: Node]} */
const labelled = (node) => [normalizeIdentifier(node.identifier), node];

/**
 * Add the definitions of the block that is still streaming to `known`.
 *
 * @param {Map<string, Node>} known
 * @param {Node[]} nodes
 * @param {string} type
 */
function withNew(known, nodes, type) {
  const added = nodes.filter((node) => node.type === type);
  return added.length ? new Map([...added.map(labelled), ...known]) : known;
}

/**
 * @param {string} name
 * @param {Blocks} source
 * @param {Node[]} open
 */
function useDefinitions(name, source, open) {
  const added = definitionsIn(open);
  const links = withNew(source.links, added, "definition");
  const notes = withNew(source.notes, added, "footnoteDefinition");
  const labels = notes.size ? [...source.done.flatMap(({ labels }) => labels), ...referredIn(open)] : [];
  const joined = orderOf(labels, notes).join("\n"); // no label has a line break
  const order = useMemo(() => (joined ? joined.split("\n") : []), [joined]);
  return useMemo(() => ({ name, links, notes, order }), [name, links, notes, order]);
}

/**
 * The blocks of a text, of which `shown` characters are visible; `writing` is true while more text may follow.
 *
 * @param {{ name: string, source: Blocks, shown?: number, writing: boolean }} props
 */
export function Body({ name, source, shown, writing }) {
  const open = source.open();
  const known = useDefinitions(name, source, open);
  const nodes = withDetails([...source.done.map(({ node }) => node), ...open]);
  return (
    <Definitions value={known}>
      <div className="md" data-shown={shown} data-writing={writing || undefined}>
        {nodes.map((node, i) => (
          <Block key={i} node={node} depth={0} growing={open.length > 0 && i === nodes.length - 1} />
        ))}
        <Notes {...known} />
      </div>
    </Definitions>
  );
}

const PIECE = 2000; // characters
const PARSE_BUDGET_MS = 16; // per frame; a long text takes several

/** @typedef {{ blocks: Blocks, read: number, text: string, finished: boolean }} Parsing */
/**
 * Parse more of `text` within the frame's budget; return whether all of it is parsed.
 *
 * @param {Parsing} state
 * @param {string} text
 * @param {boolean} final
 */
function parseMore(state, text, final) {
  const continues = text.startsWith(state.text) && !(state.finished && text.length > state.text.length);
  if (!continues) Object.assign(state, { blocks: new Blocks(), read: 0, finished: false });
  state.text = text;
  const end = performance.now() + PARSE_BUDGET_MS;
  while (state.read < text.length && performance.now() < end) {
    state.blocks.feed(text.slice(state.read, (state.read += PIECE)));
    state.read = Math.min(state.read, text.length);
  }
  if (state.read < text.length) return false;
  if (final && !state.finished) {
    state.blocks.finish();
    state.finished = true; // a longer text is parsed from the start: a retry may continue a finished text
  }
  return true;
}

// The parser lives in a ref and advances while rendering: a render that React discards has parsed a piece of the same
// text.
/** @param {{ text: string, final: boolean, name: string, costsRef?: React.RefObject<number> }} props */
function Parsed({ text, final, name, costsRef }) {
  const parsing = useRef(/** @type {Parsing | null} */ (null));
  const [, repaint] = useReducer((n) => n + 1, 0);
  const state = (parsing.current ??= { blocks: new Blocks(), read: 0, text: "", finished: false });
  const isParsed = parseMore(state, text, final);
  useEffect(() => {
    const frame = isParsed ? 0 : requestAnimationFrame(repaint);
    return () => cancelAnimationFrame(frame);
  });
  useLayoutEffect(() => {
    if (costsRef) costsRef.current = state.blocks.cost;
  });
  const { blocks: source, read } = state;
  return <Body name={name} source={source} shown={read} writing={!(final && isParsed)} />;
}

/**
 * Markdown text, possibly incomplete. `final` is true once no more text follows; `name` must be unique on the page. A
 * text that cannot be rendered is shown as plain text.
 *
 * @type {React.NamedExoticComponent<{
 *   text?: string,
 *   final?: boolean,
 *   name?: string,
 *   costsRef?: React.RefObject<number>,
 * }>}
 */
export const Markdown = memo(function Markdown({ text = "", final = true, name, costsRef }) {
  const id = useId();
  return (
    <Boundary text={text}>
      <Parsed text={text ?? ""} final={final} name={name || id} costsRef={costsRef} />
    </Boundary>
  );
});
