// From the messages of a language, which are i18next's JSON format (v4), to a sentence. Pure functions.

/** @typedef {{ [name: string]: string | Messages }} Messages */
/** @typedef {Record<string, string | number>} Values */
/** @typedef {{ code: string, params: Record<string, any> }} Info */

const HOLE = /\{\{(\w+)\}\}/g;

/** @type {Map<string, { plurals: Intl.PluralRules, numbers: Intl.NumberFormat }>} */
const rules = new Map(); // by language; to make them takes longer than to use them

/** @param {string} language */
function rulesOf(language) {
  const known = rules.get(language);
  if (known) return known;
  const made = { plurals: new Intl.PluralRules(language), numbers: new Intl.NumberFormat(language) };
  rules.set(language, made);
  return made;
}

/**
 * A text with its {{names}} replaced by values, numbers as the language writes them.
 *
 * @param {string} text
 * @param {Values} values
 * @param {string} language
 */
export function fill(text, values, language) {
  return text.replace(HOLE, (hole, name) => {
    const value = values[name] ?? hole;
    return typeof value === "number" ? rulesOf(language).numbers.format(value) : String(value);
  });
}

/**
 * The message of a key, in the form that fits `values.count`; undefined if there is none.
 *
 * @param {Messages} messages
 * @param {string} key its names, from the outermost in, with dots between
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
 * A sentence of the server, which knows no languages, in the language of `messages`.
 *
 * `info` has its code and its params; without a code, or where there is no message for it, it stays as it is.
 *
 * @param {string} sentence
 * @param {Partial<Info> | null} info
 * @param {Messages} messages
 * @param {string} language
 * @returns {string}
 */
export function told(sentence, info, messages, language) {
  if (!info?.code) return sentence;
  const params = Object.entries(info.params ?? {}).map(([name, value]) => [
    name,
    value?.code ? told(value.text, value, messages, language) : value, // one sentence may hold another
  ]);
  return phrase(messages, `told.${info.code}`, Object.fromEntries(params), language) ?? sentence;
}
