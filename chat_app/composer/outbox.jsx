// Messages that the server does not show yet: they are visible as soon as they are sent.

import { useEffect } from "react";
import FileText from "lucide-react/dist/esm/icons/file-text.mjs";
import { acknowledge, useOutbox } from "./outbox_store.js";

const LONG = 20_000; // characters; laying out a megabyte takes seconds

/** @param {{ file: import("./outbox_store.js").SentFile }} props */
function PendingFile({ file }) {
  const name = file.part.filename;
  if (file.preview)
    return (
      <span className="picture">
        <img src={file.preview} alt={name} title={name} data-testid="sending-picture" />
      </span>
    );
  return (
    <span className="file">
      <FileText size={15} aria-hidden="true" />
      <span dir="auto">{name}</span>
    </span>
  );
}

/** @param {{ thread?: string, stored?: string[] }} props */
export function Outbox({ thread = "", stored }) {
  const items = useOutbox();
  useEffect(() => {
    for (const item of items) if (stored?.includes(item.id)) acknowledge(item.id);
  }, [items, stored]);
  /** @param {import("./outbox_store.js").Item} item */
  const isInThread = (item) => item.thread === thread;
  return items
    .filter((item) => isInThread(item) && !stored?.includes(item.id))
    .map((item) => (
      <article
        key={item.id}
        className="message user pending"
        data-role="user"
        data-message-id={item.id}
        data-testid="message"
      >
        {item.files && item.files.length > 0 && (
          <div className="files">
            {item.files.map((file, i) => (
              <PendingFile key={i} file={file} />
            ))}
          </div>
        )}
        {item.text.trim() && (
          <div className="bubble" dir="auto">
            {item.text.slice(0, LONG)}
          </div>
        )}
      </article>
    ));
}
