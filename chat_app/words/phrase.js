// @ts-nocheck
// From the words of a language file to a sentence. Pure functions.

const HOLE = /\{(\w+)\}/;
const MAX_SENTENCE = 2000; // of a sentence that is looked for, in characters: what is longer is somebody else's

const rules = new Map(); // by language
const numbers = new Map();

function kept(map, language, make) {
  if (!map.has(language)) map.set(language, make());
  return map.get(language);
}

/** The form of a text that fits `values.count`; a text without forms is its own. */
function formOf(text, count, language) {
  if (typeof text === "string") return text;
  const rule = kept(rules, language, () => new Intl.PluralRules(language));
  return text[rule.select(Number(count))] ?? text.other;
}

function shown(value, language) {
  return typeof value === "number" ? kept(numbers, language, () => new Intl.NumberFormat(language)).format(value) : value;
}

/** A text with its {holes} filled; numbers, and a `count` also if it is a text in English, as the language writes them. */
export function phrase(text, given, language) {
  if (!given) return formOf(text, undefined, language);
  const values = "count" in given ? { ...given, count: Number(String(given.count).replaceAll(",", "")) } : given;
  const pieces = formOf(text, values.count, language).split(HOLE);
  return pieces.map((piece, i) => (i % 2 ? (piece in values ? shown(values[piece], language) : `{${piece}}`) : piece)).join("");
}

/** What recognises the sentences that an English text may have become. */
function pattern(key, text) {
  const pieces = text.split(HOLE);
  const source = pieces.map((piece, i) => (i % 2 ? "([^]*?)" : piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))).join("");
  const literal = pieces.reduce((length, piece, i) => length + (i % 2 ? 0 : piece.length), 0);
  return { key, regex: new RegExp(`^${source}$`), holes: pieces.filter((_, i) => i % 2), literal };
}

/** What Python has put in quotes; each language has its own. */
const bare = (value) => value.replace(/^(['"])([^]*)\1$/, "$2");

/**
 * A function from a sentence in English to the same in a language, or as it is where it is not known.
 *
 * `english` and `words` are texts by key. Of two that fit, the one with more words of its own counts.
 */
export function tellerOf(english, words, language) {
  const known = Object.entries(english)
    .filter(([key]) => key in words)
    .flatMap(([key, text]) => (typeof text === "string" ? [text] : Object.values(text)).map((form) => pattern(key, form)))
    .sort((a, b) => b.literal - a.literal);
  const tell = (sentence) => {
    if (!sentence || sentence.length > MAX_SENTENCE) return sentence;
    for (const { key, regex, holes } of known) {
      const found = regex.exec(sentence);
      if (!found) continue;
      const values = Object.fromEntries(holes.map((hole, i) => [hole, tell(bare(found[i + 1]))])); // one sentence may hold another
      return phrase(words[key], { count: 1, ...values }, language);
    }
    return sentence;
  };
  return tell;
}
