// Markdown's lexer with one more thing to find: formulas, written as $x$, $$x$$, \(x\) or \[x\].

import { Marked } from "marked";

// As in pandoc: a dollar that opens touches what follows, one that closes touches what comes before and
// no digit follows it. So "from $5 to $10" is money. https://pandoc.org/MANUAL.html#math
const INLINE = /^(?:\$\$(?!\s)((?:\\[^\n]|[^\\$\n])+?)(?<!\s)\$\$|\$(?![\s$])((?:\\[^\n]|[^\\$\n])+?)(?<!\s)\$(?!\d)|\\\(((?:[^\\\n]|\\(?!\)))+?)\\\))/;
const BLOCK = /^ {0,3}(?:\$\$[ \t]*\n?([\s\S]+?)\n?[ \t]*\$\$|\\\[[ \t]*\n?([\s\S]+?)\n?[ \t]*\\\])[ \t]*(?:\n+|$)/;

const inlineMath = {
  name: "math",
  level: "inline",
  start: (text) => /\$|\\\(/.exec(text)?.index,
  tokenizer(text) {
    const match = INLINE.exec(text);
    if (!match) return undefined;
    return { type: "math", raw: match[0], text: (match[1] ?? match[2] ?? match[3]).trim(), display: match[1] !== undefined };
  },
};

const blockMath = {
  name: "math-block",
  level: "block",
  start: (text) => /(?:^|\n) {0,3}(?:\$\$|\\\[)/.exec(text)?.index,
  tokenizer(text) {
    const match = BLOCK.exec(text);
    if (!match) return undefined;
    return { type: "math-block", raw: match[0], text: (match[1] ?? match[2]).trim() };
  },
};

const marked = new Marked({ extensions: [blockMath, inlineMath] });

/** The block tokens of a text, in marked's form. */
export const lexer = (text) => marked.lexer(text);
