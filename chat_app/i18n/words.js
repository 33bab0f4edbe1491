// The language of the page: the one that was chosen in this browser, else the first that the browser asks
// for and that there is a file of. English is built into the pages; another language is a file that is
// read once and then kept in this browser, so that a reload shows it from the first moment.

import { useCallback, useEffect, useSyncExternalStore } from "react";
import english from "./en.json";
import { fill, phrase, told } from "./phrase.js";

/** @import { Info, Messages, Values } from "./phrase.js" */

const LANGUAGE = "chat:language";
const WORDS = "chat:words";
const ENGLISH = { code: "en", words: {} };
const RIGHT_TO_LEFT = ["ar", "fa", "he", "ur"];

/** @typedef {{ code: string, words: Messages }} Language */
/** @type {Language | null} */
let current = null;
/** @type {Record<string, string>} */
let places = {}; // where the file of each language is read
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
    // private mode, or the store is full: it lives as long as the page
  }
}

/**
 * The language and messages that this browser stored; no messages yet if another language was chosen since.
 *
 * @returns {Language}
 */
function read() {
  /** @type {Language | null} */
  let kept = null;
  try {
    kept = JSON.parse(stored(WORDS) ?? "null");
  } catch {
    // a damaged store
  }
  const code = stored(LANGUAGE) ?? kept?.code ?? "en";
  if (code === "en") return ENGLISH;
  return kept?.code === code ? kept : { code, words: {} };
}

/** The first language that the browser asks for and that there is a file of. */
function preferred() {
  const wanted = navigator.languages.flatMap((tag) => [tag, tag.split("-")[0]]);
  return wanted.find((code) => code in places) ?? "en";
}

/** @param {Language} next */
function become(next) {
  current = next;
  document.documentElement.lang = next.code;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(next.code.split("-")[0]) ? "rtl" : "ltr";
  for (const listener of listeners) listener();
}

/** @param {string} code */
const fetched = async (code) => (await fetch(places[code])).json();

/**
 * Show a language, and read its words anew: they may have changed with the app.
 *
 * @param {string} code
 */
async function speak(code) {
  if (code === "en" || !(code in places)) {
    store(WORDS, "null");
    return become(ENGLISH);
  }
  const kept = read();
  become(kept.code === code ? kept : { code, words: {} });
  try {
    const words = await fetched(code);
    if (current?.code !== code) return undefined; // another choice was made meanwhile
    become({ code, words });
    store(WORDS, JSON.stringify({ code, words }));
  } catch {
    // out of reach: what is known, and English, go on
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
  return speak(code);
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
  places = files;
  speak(stored(LANGUAGE) ?? preferred());
  window.addEventListener("storage", ({ key, newValue }) => key === LANGUAGE && newValue && speak(newValue));
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
 * A function (key, values) -> the message in the person's language, else in English. A script of another package
 * may have keys of its own: it calls it with (key, English text, values).
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
 * A function (sentence of the server, its code and params) -> the same in the person's language, if there is a
 * message for it.
 *
 * @returns {(sentence: string, info: Partial<Info> | null) => string}
 */
export function useTell() {
  const { code, words } = useKnown();
  return useCallback((sentence, info) => told(sentence, info, words, code), [code, words]);
}

/**
 * Reads the language's file once the page is there; it shows nothing itself.
 *
 * @param {{ files: Record<string, string> }} props
 * @returns {null}
 */
export function Speak({ files }) {
  useEffect(() => start(files), [files]);
  return null;
}
