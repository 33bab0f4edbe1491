// The files that the user attaches to a message: each is uploaded as soon as it is chosen, and the message refers to it
// later. They live outside React, so that an upload continues while another thread is open; uploaded files are stored
// in this browser like the draft.

import { getBackendURL } from "$/utils/state";
import { readValue, store } from "../ui/browser.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/** Uploaded file, as a message refers to it. @typedef {Record<string, any>} FilePart */
/**
 * Chosen file: uploading (`request`, `progress`), uploaded (`part`), or refused (`error`).
 *
 * @typedef {{
 *   key: number,
 *   name?: string,
 *   size?: number,
 *   part?: FilePart,
 *   preview?: string,
 *   progress?: number,
 *   request?: XMLHttpRequest,
 *   error?: string,
 * }} Attachment
 */
/** Limits of a message's files. @typedef {{ maxBytes: number, maxFiles: number }} Limits */

const UPLOADED = "chat:files:";
const UPLOADING = "chat:uploading:"; // in this tab: after a reload, the page shows which files must be chosen again
/** @type {Attachment[]} */
const NOTHING = [];

/** @type {SharedValue<Map<string, Attachment[]>>} */
const lists = new SharedValue(new Map()); // by thread
let last = 0;
let leaving = false;

/**
 * Return the URL of a path, and its query if it has one, on the app's server.
 *
 * @param {string} path
 */
export function serverUrl(path) {
  const url = getBackendURL();
  const [place, query = ""] = path.split("?");
  url.pathname = url.pathname.replace(/\/ping\/?$/, "") + place;
  url.search = query;
  return url.toString();
}

/**
 * @param {string} thread
 * @returns {Attachment[]}
 */
function read(thread) {
  const known = lists.value.get(thread);
  if (known) return known;
  const lost = readValue("sessionStorage", UPLOADING + thread, NOTHING);
  const stored = [
    ...readValue("localStorage", UPLOADED + thread, NOTHING),
    ...lost.map((file) => ({ ...file, error: "interrupted" })),
  ];
  const files = stored.length ? stored.map((file) => ({ ...file, key: ++last })) : NOTHING;
  lists.value.set(thread, files);
  return files;
}

/**
 * @param {string} thread
 * @param {Attachment[]} files
 */
function write(thread, files) {
  const stored = sendable(files).map(({ part, size }) => ({ part, size }));
  store("localStorage", UPLOADED + thread, stored.length ? JSON.stringify(stored) : "");
  const lost = files.filter(isOpen).map(({ name, size }) => ({ name, size }));
  store("sessionStorage", UPLOADING + thread, lost.length ? JSON.stringify(lost) : "");
  lists.set(lists.value.set(thread, files.length ? files : NOTHING));
}

/**
 * @param {string} thread
 * @param {number} key
 * @param {Partial<Attachment>} values
 */
function change(thread, key, values) {
  write(
    thread,
    read(thread).map((file) => (file.key === key ? { ...file, ...values } : file)),
  );
}

/** @param {string} thread */
export const useAttachments = (thread) => useShared(lists, NOTHING, () => read(thread));

/**
 * Add chosen files and upload them; a refused one stays in the list with the reason in `error`.
 *
 * @param {string} thread
 * @param {FileList} chosen
 * @param {Limits} limits
 */
export function addFiles(thread, chosen, { maxBytes, maxFiles }) {
  const names = Array.from(chosen, (file) => file.name);
  write(
    thread,
    read(thread).filter((file) => !(file.error === "interrupted" && file.name && names.includes(file.name))),
  ); // chosen again
  let room = maxFiles - read(thread).filter((file) => !file.error).length;
  for (const file of chosen) {
    /** @type {Attachment & { name: string }} */
    const entry = { key: ++last, name: file.name || "image.png", size: file.size };
    if (file.size > maxBytes) entry.error = "too_large";
    else if (file.size === 0) entry.error = "empty";
    else if (room <= 0) entry.error = "too_many";
    write(thread, [...read(thread), entry]);
    if (entry.error) continue;
    room -= 1;
    if (file.type.startsWith("image/")) change(thread, entry.key, { preview: URL.createObjectURL(file) });
    upload(thread, entry, file);
  }
}

/**
 * @param {string} thread
 * @param {Attachment & { name: string }} entry
 * @param {File} file
 */
function upload(thread, entry, file) {
  const request = new XMLHttpRequest(); // fetch reports no upload progress
  /** @param {Partial<Attachment>} values */
  const settle = (values) => leaving || change(thread, entry.key, { request: undefined, ...values });
  request.upload.onprogress = (event) =>
    event.lengthComputable && change(thread, entry.key, { progress: event.loaded / event.total });
  request.onload = () => {
    /** @type {{ part?: FilePart, size?: number, error?: string }} */
    let answer = {};
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // not from the app's server, but from a proxy
    }
    settle(answer.part ? { part: answer.part, size: answer.size } : { error: answer.error ?? "failed" });
  };
  request.onerror = () => settle({ error: "failed" });
  request.open("POST", serverUrl("/uploads"));
  request.withCredentials = true; // in development the pages have another port
  request.setRequestHeader("x-filename", encodeURIComponent(entry.name));
  change(thread, entry.key, { request, progress: 0 });
  request.send(file);
}

/**
 * @param {string} thread
 * @param {number} key
 */
export function removeFile(thread, key) {
  const file = read(thread).find((each) => each.key === key);
  file?.request?.abort();
  if (file?.preview) URL.revokeObjectURL(file.preview);
  write(
    thread,
    read(thread).filter((each) => each.key !== key),
  );
}

/** @param {Attachment} file */
const isUploading = (file) => !file.part && !file.error;
/** @param {Attachment} file */
const isOpen = (file) => isUploading(file) || file.error === "interrupted";

/**
 * Return whether a file is uploading or was interrupted: the message would be incomplete without it.
 *
 * @param {Attachment[]} files
 */
export const isUnfinished = (files) => files.some(isOpen);

/**
 * Return the uploaded files.
 *
 * @param {Attachment[]} files
 */
const sendable = (files) =>
  files.flatMap(({ part, size, preview }) => (part ? [{ part, size, preview }] : []));

/**
 * Remove the files of a thread and return the uploaded ones, with their previews, to be sent.
 *
 * @param {string} thread
 */
export function takeFiles(thread) {
  const files = read(thread);
  for (const { part, preview } of files) if (preview && !part) URL.revokeObjectURL(preview);
  write(thread, []);
  return sendable(files);
}

/**
 * Restore the files of a message that was not sent, or was withdrawn.
 *
 * @param {string} thread
 * @param {Partial<Attachment>[]} files
 */
export const putFiles = (thread, files) =>
  write(thread, [...files.map((file) => ({ ...file, key: ++last })), ...read(thread)]);

if (typeof window !== "undefined") {
  // Runs before Reflex's own listener, which closes the connection although the user may stay.
  /** @param {BeforeUnloadEvent} event */
  const warn = (event) => {
    if (![...lists.value.values()].some((files) => files.some(isUploading))) return;
    event.preventDefault();
    event.returnValue = "";
    event.stopImmediatePropagation();
  };
  window.addEventListener("beforeunload", warn, { capture: true });
  window.addEventListener("pagehide", () => (leaving = true)); // an upload that is aborted now has not failed
  window.addEventListener("pageshow", () => (leaving = false));
}
