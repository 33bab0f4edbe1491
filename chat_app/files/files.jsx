// The files of a message: pictures are shown, other files are download links.

import FileText from "lucide-react/dist/esm/icons/file-text.mjs";
import { serverUrl } from "./attachment_store.js";

/** The server's `FileView`. @typedef {{ name: string, path: string, url: string, picture: boolean }} FileView */

/** @param {{ file: FileView }} props */
function File({ file }) {
  const url = file.path ? serverUrl(file.path) : file.url;
  if (file.picture && file.path)
    return (
      <a href={url} target="_blank" rel="noopener noreferrer" className="picture">
        <img src={url} alt={file.name} title={file.name} loading="lazy" data-testid="file-picture" />
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
