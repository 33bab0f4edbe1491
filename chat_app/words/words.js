// The language of the page. English is built into the pages; another language is a file that is read
// once and then kept in this browser, so that a reload shows it from the first moment.

import { useCallback, useEffect, useSyncExternalStore } from "react";

const LANGUAGE = "chat:language";
const WORDS = "chat:words";
const ENGLISH = { code: "en", words: {} };
const RIGHT_TO_LEFT = ["ar", "fa", "he", "ur"];

let current = null;
const listeners = new Set();

function read() {
  try {
    const code = localStorage.getItem(LANGUAGE) ?? "en";
    const kept = JSON.parse(localStorage.getItem(WORDS) ?? "null");
    return kept?.code === code ? kept : { code, words: {} };
  } catch {
    return ENGLISH; // private mode, or a damaged store
  }
}

function become(next) {
  current = next;
  document.documentElement.lang = next.code;
  document.documentElement.dir = RIGHT_TO_LEFT.includes(next.code) ? "rtl" : "ltr";
  for (const listener of listeners) listener();
}

/** Read the words of a language anew: they may have changed with the app. */
async function load(code, url) {
  if (code === "en" || !url) return become(ENGLISH);
  try {
    const words = await (await fetch(url)).json();
    if (current.code !== code) return; // another choice was made meanwhile
    become({ code, words });
    localStorage.setItem(WORDS, JSON.stringify(current));
  } catch {
    // out of reach, or the store is full: what is known, and English, go on
  }
}

/** Choose a language; `files` says where each is read. */
export function chooseLanguage(code, files) {
  try {
    localStorage.setItem(LANGUAGE, code);
  } catch {
    // it lives as long as the page
  }
  become({ code, words: {} });
  return load(code, files[code]);
}

const snapshot = () => (current ??= read());
const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useLanguage = () => useSyncExternalStore(subscribe, () => snapshot().code, () => "en");

let started = false;

/** Read the chosen language's file, once: the choice outlives the page. */
function startLanguage(files) {
  if (started) return;
  started = true;
  const { code, words } = snapshot();
  if (code === "en") return;
  become({ code, words });
  load(code, files[code]);
}

const fill = (text, values) => (values ? text.replace(/\{(\w+)\}/g, (hole, name) => values[name] ?? hole) : text);

/** A function (key, English words, values) -> the words in the person's language. */
export function useWords() {
  const known = useSyncExternalStore(subscribe, snapshot, () => ENGLISH);
  return useCallback((key, english, values) => fill(known.words[key] ?? english, values), [known]);
}

/** Reads the chosen language's file once the page is there; it shows nothing itself. */
export function Speak({ files }) {
  useEffect(() => startLanguage(files), [files]);
  return null;
}
