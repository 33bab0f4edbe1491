// The language of the page: the one chosen in this browser, else the first preferred language of the browser that has a
// file. English is built into the pages; the file of another language is also stored in this browser, so that a reload
// shows that language from the first paint.

import { useCallback, useEffect, useSyncExternalStore } from "react";
import english from "./en.json";
import { fill, phrase, translateSentence } from "./phrase.js";

/** @import { Info, Messages, Values } from "./phrase.js" */

const LANGUAGE = "chat:language";
const WORDS = "chat:words";
const ENGLISH = { code: "en", words: english }; // also of the server's sentences: the page has its own words for some
const RIGHT_TO_LEFT = ["ar", "fa", "he", "ur"];

/** @typedef {{ code: string, words: Messages }} Language */
/** @type {Language | null} */
let current = null;
/** @type {Record<string, string>} */
let urls = {}; // of the file of each language
/** @type {Set<() => void>} */
const listeners = new Set();

/** @param {string} key */
function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // private mode
  }
}

/**
 * @param {string} key
 * @param {string} value
 */
function store(key, value) {
  try {
    localStorage.setItem(key, value);
  } catch {
    // private mode, or the quota is exceeded: the value lasts only as long as the page
  }
}

/**
 * Read the stored language and messages; there are no messages yet if another language has been chosen since.
 *
 * @returns {Language}
 */
function read() {
  /** @type {Language | null} */
  let saved = null;
  try {
    saved = JSON.parse(stored(WORDS) ?? "null");
  } catch {
    // a corrupt value
  }
  const code = stored(LANGUAGE) ?? saved?.code ?? "en";
  if (code === "en") return ENGLISH;
  return saved?.code === code ? saved : { code, words: {} };
}

/** Return the first preferred language of the browser that has a file. */
function preferred() {
  const wanted = navigator.languages.flatMap((tag) => [tag, tag.split("-")[0]]);
  return wanted.find((code) => code in urls) ?? "en";
}

/** @param {Language} next */
function setCurrent(next) {
  current = next;
  document.documentElement.lang = next.code;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(next.code.split("-")[0]) ? "rtl" : "ltr";
  for (const listener of listeners) listener();
}

/** @param {string} code */
const fetched = async (code) => (await fetch(urls[code])).json();

/**
 * Show a language, and load its file again: it may have changed with the app.
 *
 * @param {string} code
 */
async function showLanguage(code) {
  if (code === "en" || !(code in urls)) {
    store(WORDS, "null");
    return setCurrent(ENGLISH);
  }
  const saved = read();
  setCurrent(saved.code === code ? saved : { code, words: {} });
  try {
    const words = await fetched(code);
    if (current?.code !== code) return undefined; // another language was chosen meanwhile
    setCurrent({ code, words });
    store(WORDS, JSON.stringify({ code, words }));
  } catch {
    // unreachable: the stored words remain, and English for the rest
  }
  return undefined;
}

/**
 * Choose a language, in this and every other tab of the browser.
 *
 * @param {string} code
 */
export function chooseLanguage(code) {
  store(LANGUAGE, code);
  return showLanguage(code);
}

const snapshot = () => (current ??= read());
/** @param {() => void} listener */
const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useLanguage = () =>
  useSyncExternalStore(
    subscribe,
    () => snapshot().code,
    () => "en",
  );

const useKnown = () => useSyncExternalStore(subscribe, snapshot, () => ENGLISH);

let started = false;

/** @param {Record<string, string>} files */
function start(files) {
  if (started) return;
  started = true;
  urls = files;
  showLanguage(stored(LANGUAGE) ?? preferred());
  window.addEventListener(
    "storage",
    ({ key, newValue }) => key === LANGUAGE && newValue && showLanguage(newValue),
  );
}

/**
 * @template M
 * @template {string} [Path=""]
 * @typedef {{
 *   [Name in keyof M & string]: M[Name] extends string
 *     ? Name extends `${infer Stem}_${"one" | "other"}` ? `${Path}${Stem}` : `${Path}${Name}`
 *     : KeyOf<M[Name], `${Path}${Name}.`>
 * }[keyof M & string]} KeyOf
 */
/** @typedef {KeyOf<typeof english>} Key */
/** @typedef {(key: Key, values?: Values) => string} Say */
/**
 * Return a function (key, values) -> the message in the user's language, else in English. A script of another package
 * may use its own keys: it calls the function with (key, English text, values).
 *
 * @returns {Say}
 */
export function useWords() {
  const { code, words } = useKnown();
  return useCallback(
    /** @type {(key: string, given?: any, more?: Values) => string} */
    (key, given, more) => {
      const [text, values] = typeof given === "string" ? [given, more ?? {}] : [key, more ?? given ?? {}];
      return (
        phrase(words, key, values, code) ?? phrase(english, key, values, "en") ?? fill(text, values, "en")
      );
    },
    [code, words],
  );
}

/**
 * Return a function (sentence of the server, its code and params) -> the sentence in the user's language, if there is a
 * message for its code.
 *
 * @returns {(sentence: string, info: Partial<Info> | null) => string}
 */
export function useTell() {
  const { code, words } = useKnown();
  return useCallback((sentence, info) => translateSentence(sentence, info, words, code), [code, words]);
}

/**
 * Component that loads the language's file after the page has mounted; it renders nothing.
 *
 * @param {{ files: Record<string, string> }} props
 * @returns {null}
 */
export function LanguageLoader({ files }) {
  useEffect(() => start(files), [files]);
  return null;
}
