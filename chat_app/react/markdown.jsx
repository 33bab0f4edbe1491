// Markdown tokens as React elements. Nothing in the text can run or load anything: raw HTML is shown
// as the characters it is, an image is a link to it, and a link goes to http, https or mailto.

import { Fragment, memo, useMemo } from "react";
import { useWords } from "../../words/words.js";
import { CodeBlock } from "./code.jsx";
import { Diagram } from "./diagram.jsx";
import { decodeEntities } from "./entities.js";
import { lexer } from "./lexer.js";
import { Formula } from "./math.jsx";

const SAFE_URL = /^(?:https?:\/\/|mailto:)/i;

function Link({ token, label }) {
  const href = decodeEntities(token.href ?? "");
  if (!SAFE_URL.test(href)) return token.raw;
  return (
    <a href={href} target="_blank" rel="noopener noreferrer nofollow">
      {label}
    </a>
  );
}

function Image() {
  return useWords()("markdown.image", "image");
}

function Checkbox({ checked }) {
  const say = useWords();
  const label = checked ? say("markdown.done", "done") : say("markdown.to_do", "to do");
  return <input type="checkbox" checked={checked} disabled readOnly aria-label={label} />;
}

const INLINE = {
  text: (t) => (t.tokens ? inline(t.tokens) : decodeEntities(t.text)),
  escape: (t) => t.text,
  strong: (t) => <strong>{inline(t.tokens)}</strong>,
  em: (t) => <em>{inline(t.tokens)}</em>,
  del: (t) => <del>{inline(t.tokens)}</del>,
  codespan: (t) => <code>{t.text}</code>,
  br: () => <br />,
  link: (t) => <Link token={t} label={inline(t.tokens)} />,
  math: (t) => <Formula text={t.text} display={t.display} raw={t.raw} />,
  image: (t) => <Link token={t} label={t.text || <Image />} />,
  checkbox: (t) => <Checkbox checked={t.checked} />,
};

function inline(tokens) {
  return (tokens ?? []).map((token, i) => {
    const render = INLINE[token.type];
    return <Fragment key={i}>{render ? render(token) : token.raw}</Fragment>;
  });
}

function Heading({ token }) {
  const Tag = `h${Math.min(6, token.depth + 1)}`; // the page's own heading is the first
  return (
    <Tag dir="auto" className={`md-h${token.depth}`}>
      {inline(token.tokens)}
    </Tag>
  );
}

function List({ token }) {
  const Tag = token.ordered ? "ol" : "ul";
  return (
    <Tag start={token.ordered && token.start !== 1 ? token.start : undefined} dir="auto">
      {token.items.map((item, i) => (
        <Item key={i} token={item} />
      ))}
    </Tag>
  );
}

const Item = memo(
  function Item({ token }) {
    return <li className={token.task ? "md-task" : undefined}>{blocks(token.tokens)}</li>;
  },
  (a, b) => a.token.raw === b.token.raw && a.token.loose === b.token.loose,
);

function Table({ token }) {
  const say = useWords();
  const cell = (Tag, c, i) => (
    <Tag key={i} dir="auto" style={c.align ? { textAlign: c.align } : undefined}>
      {inline(c.tokens)}
    </Tag>
  );
  return (
    <div className="md-table" tabIndex={0} role="region" aria-label={say("markdown.table", "Table")}>
      <table>
        <thead>
          <tr>{token.header.map((c, i) => cell("th", c, i))}</tr>
        </thead>
        <tbody>
          {token.rows.map((row, r) => (
            <tr key={r}>{row.map((c, i) => cell("td", c, i))}</tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const BLOCK = {
  space: () => null,
  def: () => null,
  hr: () => <hr />,
  paragraph: (t) => <p dir="auto">{inline(t.tokens)}</p>,
  text: (t) => (t.tokens ? inline(t.tokens) : decodeEntities(t.text)),
  heading: (t) => <Heading token={t} />,
  code: (t) => (t.lang === "mermaid" && !t.open ? <Diagram text={t.text} /> : <CodeBlock lang={t.lang} text={t.text} />),
  "math-block": (t) => (t.open ? <CodeBlock lang="tex" text={t.text} /> : <Formula text={t.text} display raw={t.raw} />),
  blockquote: (t) => <blockquote dir="auto">{blocks(t.tokens)}</blockquote>,
  list: (t) => <List token={t} />,
  table: (t) => <Table token={t} />,
  html: (t) => <p className="md-html">{t.raw.trimEnd()}</p>,
};

function blocks(tokens) {
  return (tokens ?? []).map((token, i) => {
    const render = BLOCK[token.type];
    return <Fragment key={i}>{render ? render(token) : inline([token])}</Fragment>;
  });
}

/** One block; with the same source text it renders once. */
export const Block = memo(
  function Block({ token }) {
    const render = BLOCK[token.type];
    return render ? render(token) : inline([token]);
  },
  (a, b) => a.token.raw === b.token.raw && a.token.type === b.token.type && a.token.open === b.token.open,
);

/** A whole text that will not change. */
export const Markdown = memo(function Markdown({ text }) {
  const tokens = useMemo(() => lexer((text ?? "").replaceAll("\r", "")).filter((t) => t.type !== "space"), [text]);
  return (
    <div className="md">
      {tokens.map((token, i) => (
        <Block key={i} token={token} />
      ))}
    </div>
  );
});
