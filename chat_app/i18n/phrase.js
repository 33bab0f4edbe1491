// Formats the messages of a language, which are in i18next's JSON format (v4). Pure functions.

/** @typedef {{ [name: string]: string | Messages }} Messages */
/** @typedef {Record<string, string | number>} Values */
/** @typedef {{ code: string, params: Record<string, any> }} Info */

const PLACEHOLDER = /\{\{(\w+)\}\}/g;

/** @type {Map<string, { plurals: Intl.PluralRules, numbers: Intl.NumberFormat }>} */
const rules = new Map(); // by language, because creating them is slow

/** @param {string} language */
function rulesOf(language) {
  const known = rules.get(language);
  if (known) return known;
  const created = { plurals: new Intl.PluralRules(language), numbers: new Intl.NumberFormat(language) };
  rules.set(language, created);
  return created;
}

/**
 * Replace the {{names}} in a text by values; numbers are formatted for the language.
 *
 * @param {string} text
 * @param {Values} values
 * @param {string} language
 */
export function fill(text, values, language) {
  return text.replace(PLACEHOLDER, (placeholder, name) => {
    const value = values[name] ?? placeholder;
    return typeof value === "number" ? rulesOf(language).numbers.format(value) : String(value);
  });
}

/**
 * Return the message for a key, in the plural form for `values.count`; undefined if there is none.
 *
 * @param {Messages} messages
 * @param {string} key names from the outermost to the innermost, separated by dots
 * @param {Values} values
 * @param {string} language
 */
export function phrase(messages, key, values, language) {
  const count = values.count === undefined ? [] : [rulesOf(language).plurals.select(Number(values.count))];
  for (const ending of [...count.map((form) => `_${form}`), "", "_other"]) {
    /** @type {any} */
    const text = `${key}${ending}`.split(".").reduce((at, name) => at?.[name], /** @type {any} */ (messages));
    if (typeof text === "string") return fill(text, values, language);
  }
  return undefined;
}

/**
 * Translate a sentence of the server, which speaks English only, into the language of `messages`.
 *
 * `info` holds its code and params. Without a code, or without a message for it, the sentence stays unchanged.
 *
 * @param {string} sentence
 * @param {Partial<Info> | null} info
 * @param {Messages} messages
 * @param {string} language
 * @returns {string}
 */
export function translateSentence(sentence, info, messages, language) {
  if (!info?.code) return sentence;
  const params = Object.entries(info.params ?? {}).map(([name, value]) => [
    name,
    value?.code ? translateSentence(value.text, value, messages, language) : value, // one sentence may hold another
  ]);
  return phrase(messages, `sentences.${info.code}`, Object.fromEntries(params), language) ?? sentence;
}
