// The text of an answer as a screen reader speaks it: the words that the page shows, in whole sentences.

// In most scripts a full stop ends a sentence if a space follows; in scripts without spaces it always does.
const CLOSED = `["')\\]”’»›」』）】〕》〉]*`;
const SPACED = `[.!?:…‼⁇⁈⁉‽؟۔।॥։።፧။។།]${CLOSED}(?:\\s[»›])?\\s`;
const SOLID = `(?:[。！？｡]|．(?![0-9０-９]))${CLOSED}\\s?`;
const SENTENCE_END = new RegExp(`${SPACED}|${SOLID}|\\n`, "g");
const SILENT = "button, [hidden], [aria-hidden=true], .katex-html, annotation, style, script";
const BLOCKS = /^(?:P|LI|H[1-6]|TR|PRE|BLOCKQUOTE|SUMMARY|DIV|SECTION|TD|TH|DT|DD|CAPTION|FIGCAPTION|HR|BR)$/;
const TAIL = 20; // characters by which the end of the spoken text is recognized

/**
 * Return the end of the last whole sentence of `text` after `from`.
 *
 * @param {string} text
 * @param {number} from
 */
export function lastSentenceEnd(text, from) {
  let end = from;
  SENTENCE_END.lastIndex = from;
  for (let match; (match = SENTENCE_END.exec(text));) end = match.index + match[0].length;
  return end;
}

/**
 * Return the words of an element as they are spoken: blocks end a line; buttons and decoration are left out.
 *
 * @param {Node} node
 * @returns {string}
 */
export function spokenText(node) {
  if (node instanceof Text) return node.data;
  if (!(node instanceof Element) || node.matches(SILENT)) return "";
  if (node instanceof HTMLImageElement) return node.alt;
  if (node.tagName === "svg") return `${node.getAttribute("aria-label") ?? ""}\n`;
  const inside = Array.from(node.childNodes, spokenText).join("");
  return BLOCKS.test(node.tagName) ? `${inside}\n` : inside;
}

/**
 * Return how much of `text` has been spoken, given that `before` was. A text that has changed far before its end is
 * recognized by its end; one that was started again is spoken from the first word that differs.
 *
 * @param {string} before
 * @param {string} text
 */
export function spokenLength(before, text) {
  if (text.startsWith(before)) return before.length;
  const tail = before.slice(-TAIL);
  const found = tail.length < TAIL ? -1 : text.lastIndexOf(tail, before.length);
  if (found >= 0) return found + tail.length;
  let same = 0;
  while (same < text.length && text[same] === before[same]) same += 1;
  return same === text.length ? same : text.slice(0, same).replace(/[\p{L}\p{M}\p{N}]{0,30}$/u, "").length;
}
