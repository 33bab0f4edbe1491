// Compares words as the server's search does (agent_core/text/plain_text.py): ignoring accents and case.

const ACCENTS = /[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c7\u064b-\u065f\u0670]/g;
/** @type {Record<string, string>} */
const STROKES = { ß: "ss", đ: "d", ħ: "h", ł: "l", ø: "o", ŧ: "t", ı: "i" };

/** @param {string} text */
export const searchKey = (text) =>
  text
    .toLowerCase()
    .normalize("NFKD")
    .replace(ACCENTS, "")
    .normalize("NFKC")
    .replace(/[ßđħłøŧı]/g, (letter) => STROKES[letter]);

/**
 * Split `text` so that every second piece matches one of the words, ignoring accents and case.
 *
 * @param {string} text
 * @param {string[]} words
 */
export function split(text, words) {
  const wanted = words.map(searchKey).filter(Boolean);
  let folded = "";
  /** @type {[number, number][]} */
  const ends = []; // for each folded character, the start and end of its source in `text`
  let at = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    for (const unit of searchKey(segment))
      for (let i = 0; i < unit.length; i += 1) ends.push([at, at + segment.length]);
    folded += searchKey(segment);
    at += segment.length;
  }
  const pieces = [];
  let last = 0;
  for (let from = 0; from < folded.length;) {
    const word = wanted.find((each) => folded.startsWith(each, from));
    if (!word) {
      from += 1;
      continue;
    }
    const [start, end] = [ends[from][0], ends[from + word.length - 1][1]];
    if (start >= last) pieces.push(text.slice(last, start), text.slice(start, end));
    last = Math.max(last, end);
    from += word.length;
  }
  return [...pieces, text.slice(last)];
}
