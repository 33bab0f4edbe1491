// The text of an answer as a screen reader speaks it: the words that the page shows, by whole sentences.

// A stop of most scripts ends a sentence where a blank follows; one of those that are written without blanks, always.
const CLOSED = `["')\\]”’»›」』）】〕》〉]*`;
const SPACED = `[.!?:…‼⁇⁈⁉‽؟۔।॥։።፧။។།]${CLOSED}(?:\\s[»›])?\\s`;
const SOLID = `(?:[。！？｡]|．(?![0-9０-９]))${CLOSED}\\s?`;
const SENTENCE_END = new RegExp(`${SPACED}|${SOLID}|\\n`, "g");
const SILENT = "button, [hidden], [aria-hidden=true], .katex-html, annotation, style, script";
const BLOCKS = /^(?:P|LI|H[1-6]|TR|PRE|BLOCKQUOTE|SUMMARY|DIV|SECTION|TD|TH|DT|DD|CAPTION|FIGCAPTION|HR|BR)$/;
const TAIL = 20; // letters by which the end of what was read is known again

/**
 * The place in `text` behind the last whole sentence after `from`.
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
 * The words of an element as they are heard: blocks end a line, and what is pressed or drawn is left out.
 *
 * @param {Node} node
 * @returns {string}
 */
export function heard(node) {
  if (node instanceof Text) return node.data;
  if (!(node instanceof Element) || node.matches(SILENT)) return "";
  if (node instanceof HTMLImageElement) return node.alt;
  if (node.tagName === "svg") return `${node.getAttribute("aria-label") ?? ""}\n`;
  const inside = Array.from(node.childNodes, heard).join("");
  return BLOCKS.test(node.tagName) ? `${inside}\n` : inside;
}

/**
 * The length of the part of `text` that has been read, when `before` was. A text that has changed far before its end
 * is known by its end; one that was begun again is read from the word in which it differs.
 *
 * @param {string} before
 * @param {string} text
 */
export function alreadyRead(before, text) {
  if (text.startsWith(before)) return before.length;
  const tail = before.slice(-TAIL);
  const found = tail.length < TAIL ? -1 : text.lastIndexOf(tail, before.length);
  if (found >= 0) return found + tail.length;
  let same = 0;
  while (same < text.length && text[same] === before[same]) same += 1;
  return same === text.length ? same : text.slice(0, same).replace(/[\p{L}\p{M}\p{N}]{0,30}$/u, "").length;
}
