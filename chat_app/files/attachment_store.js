// The files that the person has chosen for a message: sent to the server one by one as soon as they are
// chosen, named by the message afterwards. They stand outside the page's components, so that an upload
// goes on while another thread is looked at; what has arrived is kept in this browser like the draft.

import { getBackendURL } from "$/utils/state";
import { readValue, store } from "../ui/browser.js";
import { SharedValue, useShared } from "../ui/shared_value.js";

/** A file that the server has, as a message names it. @typedef {Record<string, any>} FilePart */
/**
 * A chosen file: on its way (`request`, `progress`), arrived (`part`), or refused (`error`).
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
/** The limits of a message's files. @typedef {{ maxBytes: number, maxFiles: number }} Limits */

const KEPT = "chat:files:";
const UNDER_WAY = "chat:uploading:"; // in this tab: a page that is loaded anew says which must be given again
/** @type {Attachment[]} */
const NOTHING = [];

/** @type {SharedValue<Map<string, Attachment[]>>} */
const lists = new SharedValue(new Map()); // by thread
let last = 0;
let leaving = false;

/**
 * The address of a path of our own server.
 *
 * @param {string} path
 */
export function serverUrl(path) {
  const url = getBackendURL();
  url.pathname = url.pathname.replace(/\/ping\/?$/, "") + path;
  return url.toString();
}

/**
 * @param {string} thread
 * @returns {Attachment[]}
 */
function read(thread) {
  const known = lists.value.get(thread);
  if (known) return known;
  const lost = readValue("sessionStorage", UNDER_WAY + thread, NOTHING);
  const kept = [
    ...readValue("localStorage", KEPT + thread, NOTHING),
    ...lost.map((file) => ({ ...file, error: "interrupted" })),
  ];
  const files = kept.length ? kept.map((file) => ({ ...file, key: ++last })) : NOTHING;
  lists.value.set(thread, files);
  return files;
}

/**
 * @param {string} thread
 * @param {Attachment[]} files
 */
function write(thread, files) {
  const kept = sendable(files).map(({ part, size }) => ({ part, size }));
  store("localStorage", KEPT + thread, kept.length ? JSON.stringify(kept) : "");
  const lost = files.filter(isOpen).map(({ name, size }) => ({ name, size }));
  store("sessionStorage", UNDER_WAY + thread, lost.length ? JSON.stringify(lost) : "");
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
 * Take chosen files in; those that may not be sent stay with the reason in `error`.
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
  ); // given again
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
  const request = new XMLHttpRequest(); // fetch tells nothing of how far it is
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
      // not from our server
    }
    settle(answer.part ? { part: answer.part, size: answer.size } : { error: answer.error ?? "failed" });
  };
  request.onerror = () => settle({ error: "failed" });
  request.open("POST", serverUrl("/uploads"));
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
 * Whether a file is under way or was cut off: a message without it would be half a message.
 *
 * @param {Attachment[]} files
 */
export const isUnfinished = (files) => files.some(isOpen);

/**
 * The files that the server has.
 *
 * @param {Attachment[]} files
 */
const sendable = (files) =>
  files.flatMap(({ part, size, preview }) => (part ? [{ part, size, preview }] : []));

/**
 * Take the files out to be sent; their previews go with them.
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
 * Put files back whose message was not sent, or was taken back.
 *
 * @param {string} thread
 * @param {Partial<Attachment>[]} files
 */
export const putFiles = (thread, files) =>
  write(thread, [...files.map((file) => ({ ...file, key: ++last })), ...read(thread)]);

if (typeof window !== "undefined") {
  // Before Reflex's own listener, which ends the connection although the person may stay.
  /** @param {BeforeUnloadEvent} event */
  const warn = (event) => {
    if (![...lists.value.values()].some((files) => files.some(isUploading))) return;
    event.preventDefault();
    event.returnValue = "";
    event.stopImmediatePropagation();
  };
  window.addEventListener("beforeunload", warn, { capture: true });
  window.addEventListener("pagehide", () => (leaving = true)); // what is cut off now has not failed
  window.addEventListener("pageshow", () => (leaving = false));
}
