// What the person has written and not yet sent, kept in this browser: one draft per thread.

const DRAFT = "chat:draft:";
const MAX_KEPT = 200_000; // a browser gives a site about five million characters in all

/**
 * @param {string} key
 * @param {string} text
 */
function store(key, text) {
  try {
    const long = text.length > MAX_KEPT; // that is kept for this tab alone, so that many do not fill the store
    if (text && !long) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
    if (long) sessionStorage.setItem(key, text);
    else sessionStorage.removeItem(key);
  } catch {
    // private mode or full: the draft lives as long as the page
  }
}

/** @param {string} thread */
export function readDraft(thread) {
  try {
    return sessionStorage.getItem(DRAFT + thread) ?? localStorage.getItem(DRAFT + thread) ?? "";
  } catch {
    return "";
  }
}

/**
 * @param {string} thread
 * @param {string} text
 */
export const writeDraft = (thread, text) => store(DRAFT + thread, text);
