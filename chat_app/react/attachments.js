// The files that the person has chosen for a message: sent to the server one by one as soon as they are
// chosen, named by the message afterwards. They stand outside the page's components, so that an upload
// goes on while another thread is looked at; what has arrived is kept in this browser like the draft.

import { useSyncExternalStore } from "react";
import { getBackendURL } from "$/utils/state";

const KEPT = "chat:files:";
const NOTHING = [];

const lists = new Map(); // by thread
const listeners = new Set();
let last = 0;

/** The address of a path of our own server. */
export function serverUrl(path) {
  const url = getBackendURL();
  url.pathname = url.pathname.replace(/\/ping\/?$/, "") + path;
  return url.toString();
}

function read(thread) {
  if (!lists.has(thread)) {
    let kept = NOTHING;
    try {
      kept = JSON.parse(localStorage.getItem(KEPT + thread) ?? "[]");
    } catch {
      // private mode, or a damaged store
    }
    lists.set(thread, kept.length ? kept.map((file) => ({ ...file, key: ++last })) : NOTHING);
  }
  return lists.get(thread);
}

function write(thread, files) {
  lists.set(thread, files.length ? files : NOTHING);
  try {
    const kept = files.filter((file) => file.part).map(({ part, size }) => ({ part, size }));
    if (kept.length) localStorage.setItem(KEPT + thread, JSON.stringify(kept));
    else localStorage.removeItem(KEPT + thread);
  } catch {
    // they live as long as the page
  }
  for (const listener of listeners) listener();
}

function change(thread, key, values) {
  write(thread, read(thread).map((file) => (file.key === key ? { ...file, ...values } : file)));
}

const subscribe = (listener) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useAttachments = (thread) => useSyncExternalStore(subscribe, () => read(thread), () => NOTHING);

/** Take chosen files in; those that may not be sent stay with the reason in `error`. */
export function addFiles(thread, chosen, { maxBytes, maxFiles }) {
  let room = maxFiles - read(thread).filter((file) => !file.error).length;
  for (const file of chosen) {
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

function upload(thread, entry, file) {
  const request = new XMLHttpRequest(); // fetch tells nothing of how far it is
  const settle = (values) => change(thread, entry.key, { request: undefined, ...values });
  request.upload.onprogress = (event) => event.lengthComputable && change(thread, entry.key, { progress: event.loaded / event.total });
  request.onload = () => {
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

export function removeFile(thread, key) {
  const file = read(thread).find((each) => each.key === key);
  file?.request?.abort();
  if (file?.preview) URL.revokeObjectURL(file.preview);
  write(thread, read(thread).filter((each) => each.key !== key));
}

export const isUploading = (files) => files.some((file) => !file.part && !file.error);

/** Take the files out to be sent. */
export function takeFiles(thread) {
  const files = read(thread);
  for (const { preview } of files) if (preview) URL.revokeObjectURL(preview);
  write(thread, []);
  return files.filter((file) => file.part).map(({ key, part, size }) => ({ key, part, size }));
}

/** Put files back whose message could not be sent. */
export const putFiles = (thread, files) => write(thread, [...(files ?? []), ...read(thread)]);
