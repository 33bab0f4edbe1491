// From the words of a language file to a sentence. Pure functions.

/** @typedef {string | Record<string, string>} Text */
/** @typedef {Record<string, string | number>} Values */
/** @typedef {{ code: string, params: Record<string, any> }} Info */

const HOLE = /\{(\w+)\}/;

/** @type {Map<string, Intl.PluralRules>} */
const rules = new Map(); // by language
/** @type {Map<string, Intl.NumberFormat>} */
const numbers = new Map();

/**
 * @template T
 * @param {Map<string, T>} map
 * @param {string} language
 * @param {() => T} make
 */
function kept(map, language, make) {
  if (!map.has(language)) map.set(language, make());
  return map.get(language);
}

/**
 * The form of a text that fits `count`; a text without forms is its own.
 *
 * @param {Text} text
 * @param {string | number | undefined} count
 * @param {string} language
 */
function formOf(text, count, language) {
  if (typeof text === "string") return text;
  const rule = kept(rules, language, () => new Intl.PluralRules(language));
  return text[rule.select(Number(count))] ?? text.other;
}

/**
 * @param {string | number} value
 * @param {string} language
 */
function shown(value, language) {
  return typeof value === "number"
    ? kept(numbers, language, () => new Intl.NumberFormat(language)).format(value)
    : value;
}

/**
 * A text with its {holes} filled, numbers as the language writes them; `count` chooses among forms.
 *
 * @param {Text} text
 * @param {Values | undefined} given
 * @param {string} language
 */
export function phrase(text, given, language) {
  if (!given) return formOf(text, undefined, language);
  const pieces = formOf(text, given.count, language).split(HOLE);
  return pieces
    .map((piece, i) => (i % 2 ? (piece in given ? shown(given[piece], language) : `{${piece}}`) : piece))
    .join("");
}

/**
 * A sentence of the server, which knows no languages, in the language of `words` (texts by key).
 *
 * `info` has its code and its params; without a code, or where there are no words for it, it stays as it is.
 *
 * @param {string} sentence
 * @param {Partial<Info> | null | undefined} info
 * @param {Record<string, Text>} words
 * @param {string} language
 * @returns {string}
 */
export function told(sentence, info, words, language) {
  const text = words[`told.${info?.code}`];
  if (text === undefined) return sentence;
  const params = Object.entries(info.params).map(([name, value]) => [
    name,
    value?.code ? told(value.text, value, words, language) : value, // one sentence may hold another
  ]);
  return phrase(text, Object.fromEntries(params), language);
}
