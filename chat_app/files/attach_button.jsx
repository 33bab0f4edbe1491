// Attaches files to a message: by a button, by pasting and by dropping; and lists the attachments.

import { useEffect, useEffectEvent, useRef, useState } from "react";
import Paperclip from "lucide-react/dist/esm/icons/paperclip.mjs";
import X from "lucide-react/dist/esm/icons/x.mjs";
import { useWords } from "../i18n/words.js";
import { addFiles, removeFile } from "./attachment_store.js";
import { Thumbnail } from "./files.jsx";

/** @param {DragEvent} event */
const carriesFiles = (event) => Array.from(event.dataTransfer?.types ?? []).includes("Files");

/**
 * Accept files that are dropped anywhere on the page; return whether some are dragged over it.
 *
 * @param {(files: FileList | null | undefined) => void} onFiles
 */
export function useDrop(onFiles) {
  const [over, setOver] = useState(false);
  const take = useEffectEvent(onFiles);
  useEffect(() => {
    let timer = 0;
    /** @param {DragEvent} event */
    const onOver = (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
      clearTimeout(timer);
      timer = setTimeout(() => setOver(false), 300); // "dragover" repeats, and its end is not always reported
    };
    /** @param {DragEvent} event */
    const onDrop = (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(false);
      take(event.dataTransfer?.files);
    };
    window.addEventListener("dragover", onOver);
    window.addEventListener("drop", onDrop);
    return () => {
      clearTimeout(timer);
      window.removeEventListener("dragover", onOver);
      window.removeEventListener("drop", onDrop);
    };
  }, []);
  return over;
}

/**
 * Return the files on the clipboard; null if it has text as well, which is pasted as text.
 *
 * @param {React.ClipboardEvent} event
 */
export function pasted(event) {
  const { files, types } = event.clipboardData;
  if (!files.length || types.includes("text/plain")) return null;
  event.preventDefault();
  return files;
}

/** @param {{ onFiles: (files: FileList | null) => void }} props */
export function AttachButton({ onFiles }) {
  const say = useWords();
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const label = say("upload.attach");
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        data-testid="file-input"
        onChange={(event) => {
          onFiles(event.target.files);
          event.target.value = ""; // the same file may be chosen again
        }}
      />
      <button
        type="button"
        className="icon-button attach"
        aria-label={label}
        title={label}
        onClick={() => input.current?.click()}
        data-testid="attach"
      >
        <Paperclip size={17} aria-hidden="true" />
      </button>
    </>
  );
}

const MEGA = 1_000_000;

/**
 * @param {import("./attachment_store.js").Limits} limits
 * @returns {(refused: { name: string, error: string }) => string}
 */
function useReason({ maxBytes, maxFiles }) {
  const say = useWords();
  return ({ name, error }) =>
    ({
      too_large: say("upload.too_large", { name, most: maxBytes / MEGA }),
      too_many: say("upload.limit", { name, most: maxFiles }),
      empty: say("upload.empty", { name }),
      kind: say("upload.kind", { name }),
      extra: say("upload.extra", { name }),
      unreadable: say("upload.unreadable", { name }),
      interrupted: say("upload.interrupted", { name }),
    })[error] ?? say("upload.failed", { name });
}

/**
 * @param {{
 *   thread: string,
 *   files: import("./attachment_store.js").Attachment[],
 *   limits: import("./attachment_store.js").Limits,
 * }} props
 */
export function AttachmentList({ thread, files, limits }) {
  const say = useWords();
  const reason = useReason(limits);
  if (!files.length) return null;
  return (
    <ul className="chosen" data-testid="chosen">
      {files.map((file) => {
        const name = file.part?.filename ?? file.name;
        const remove = say("upload.remove", { name });
        return (
          <li
            key={file.key}
            className={file.error ? "refused" : file.part ? "" : "uploading"}
            data-testid={file.error ? "refused-file" : "chosen-file"}
            data-ready={Boolean(file.part)}
            role={file.error ? "alert" : undefined}
          >
            <Thumbnail url={file.preview} />
            <span dir="auto" title={name}>
              {file.error ? reason({ name, error: file.error }) : name}
            </span>
            <button
              type="button"
              aria-label={remove}
              title={remove}
              onClick={() => removeFile(thread, file.key)}
              data-testid="remove-file"
            >
              <X size={13} aria-hidden="true" />
            </button>
            {!file.part && !file.error && (
              <progress value={file.progress ?? 0} max={1} aria-label={say("upload.progress")} />
            )}
          </li>
        );
      })}
    </ul>
  );
}

export function DropZone() {
  const say = useWords();
  return (
    <div className="dropzone" aria-hidden="true">
      {say("upload.drop")}
    </div>
  );
}

export { addFiles };
