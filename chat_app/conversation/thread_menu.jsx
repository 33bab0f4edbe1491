// The menu of the open thread: exports it to a file, or shares it by a link.

import { useEffect, useRef } from "react";
import { useHref } from "react-router";
import Check from "lucide-react/dist/esm/icons/check.mjs";
import Copy from "lucide-react/dist/esm/icons/copy.mjs";
import Download from "lucide-react/dist/esm/icons/download.mjs";
import Ellipsis from "lucide-react/dist/esm/icons/ellipsis.mjs";
import Link from "lucide-react/dist/esm/icons/link.mjs";
import Unlink from "lucide-react/dist/esm/icons/unlink.mjs";
import { useWords } from "../i18n/words.js";
import { serverUrl } from "../files/attachment_store.js";
import { useCopy } from "../ui/copy_button.jsx";

/** @param {{ icon: import("lucide-react").LucideIcon } & React.ComponentProps<"button">} props */
function Item({ icon: Icon, children, ...props }) {
  return (
    <button type="button" {...props}>
      <Icon size={16} aria-hidden="true" />
      {children}
    </button>
  );
}

/** @param {{ token: string, onUnshare: () => void }} props */
function SharedLink({ token, onUnshare }) {
  const say = useWords();
  const [copied, copyText] = useCopy();
  const url = window.location.origin + useHref(`/share/${token}`);
  return (
    <>
      <p>{say("share.open")}</p>
      <input
        readOnly
        value={url}
        aria-label={say("share.link")}
        onFocus={(event) => event.target.select()}
        data-testid="share-link"
      />
      <Item icon={copied ? Check : Copy} onClick={() => copyText(url)} data-testid="share-copy">
        {copied ? say("message.copied") : say("share.copy")}
      </Item>
      <Item icon={Unlink} onClick={onUnshare} data-testid="unshare">
        {say("share.stop")}
      </Item>
    </>
  );
}

/**
 * Download a path of the app's server.
 *
 * @param {string} path
 */
const download = (path) =>
  Object.assign(document.createElement("a"), { href: serverUrl(path), download: "" }).click();

/**
 * @param {{
 *   thread?: string,
 *   token?: string,
 *   onExport: (names: Record<string, string>) => void,
 *   onShare: () => void,
 *   onUnshare: () => void,
 * }} props
 */
export function ThreadMenu({ thread = "", token = "", onExport, onShare, onUnshare }) {
  const say = useWords();
  const menu = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  const label = say("share.menu");
  const close = () => menu.current?.removeAttribute("open");

  useEffect(() => {
    /** @param {PointerEvent} event */
    const onPress = ({ target }) =>
      menu.current?.open && !menu.current.contains(/** @type {Node} */ (target)) && close();
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      if (event.key !== "Escape" || !menu.current?.open) return;
      event.preventDefault(); // Esc would stop the answer
      close();
      menu.current.querySelector("summary")?.focus();
    };
    document.addEventListener("pointerdown", onPress);
    window.addEventListener("keydown", onKey, true);
    return () => {
      document.removeEventListener("pointerdown", onPress);
      window.removeEventListener("keydown", onKey, true);
    };
  }, []);

  const names = { user: say("share.you"), assistant: say("picker.assistant") };
  const saveText = () => (onExport(names), close());
  const saveData = () => (download(`/exports/${encodeURIComponent(thread)}`), close());
  return (
    <details ref={menu} className="thread-menu">
      <summary className="icon-button" aria-label={label} title={label} data-testid="share-menu">
        <Ellipsis size={16} aria-hidden="true" />
      </summary>
      <div className="menu-box">
        <Item icon={Download} onClick={saveText} data-testid="export-md">
          {say("share.export_markdown")}
        </Item>
        <Item icon={Download} onClick={saveData} data-testid="export-json">
          {say("share.export_json")}
        </Item>
        <hr />
        {token ? (
          <SharedLink token={token} onUnshare={onUnshare} />
        ) : (
          <Item icon={Link} onClick={onShare} data-testid="share">
            {say("share.start")}
          </Item>
        )}
      </div>
    </details>
  );
}
