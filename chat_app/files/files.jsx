// The files of a message: pictures are shown; other files, and pictures that the browser cannot read, are download links.

import { useState } from "react";
import FileText from "lucide-react/dist/esm/icons/file-text.mjs";
import { serverUrl } from "./attachment_store.js";

/** The server's `FileView`. @typedef {{ name: string, path: string, url: string, picture: boolean, shown?: string }} FileView */

/** @param {{ file: FileView }} props */
function File({ file }) {
  const [unreadable, setUnreadable] = useState(false);
  const url = file.path ? serverUrl(file.path) : file.url;
  if (file.picture && file.path && !unreadable)
    return (
      <a href={url} target="_blank" rel="noopener noreferrer" className="picture">
        <img
          src={file.shown ? serverUrl(file.shown) : url}
          alt={file.name}
          title={file.name}
          loading="lazy"
          onError={() => setUnreadable(true)}
          data-testid="file-picture"
        />
      </a>
    );
  const inside = (
    <>
      <FileText size={15} aria-hidden="true" />
      <span dir="auto">{file.name}</span>
    </>
  );
  return url ? (
    <a href={url} target="_blank" rel="noopener noreferrer nofollow" className="file" data-testid="file-link">
      {inside}
    </a>
  ) : (
    <span className="file">{inside}</span>
  );
}

/**
 * Small picture of a chosen file; an icon for other files, and for pictures that the browser cannot read.
 *
 * @param {{ url?: string | null }} props
 */
export function Thumbnail({ url }) {
  const [unreadable, setUnreadable] = useState(false);
  if (!url || unreadable) return <FileText size={15} aria-hidden="true" />;
  return <img src={url} alt="" onError={() => setUnreadable(true)} />;
}

/** @param {{ files?: FileView[] }} props */
export function Files({ files = [] }) {
  if (!files.length) return null;
  return (
    <div className="files">
      {files.map((file, i) => (
        <File key={i} file={file} />
      ))}
    </div>
  );
}
