// The button for the menu of the open thread, which is that of its row.

import { useRef, useState } from "react";
import Ellipsis from "lucide-react/dist/esm/icons/ellipsis.mjs";
import { useWords } from "../i18n/words.js";
import { Menu } from "../thread_list/menu.jsx";
import { threadActions } from "../thread_list/thread_actions.js";
import { renameTitle } from "./title.jsx";

/**
 * @param {{
 *   thread?: string,
 *   title: string,
 *   pinned: boolean,
 *   archived: boolean,
 *   token: string,
 *   onRename: (threadId: string, title: string) => void,
 *   onPin: (threadId: string, pinned: boolean) => void,
 *   onArchive: (threadId: string, archived: boolean) => void,
 *   onDelete: (threadId: string) => void,
 *   onRestore: (threadId: string, open: boolean) => void,
 *   onExport: (threadId: string, names: Record<string, string>) => void,
 *   onShare: (threadId: string) => void,
 *   onUnshare: (threadId: string) => void,
 * }} props
 */
export function ThreadMenu({ thread = "", title, pinned, archived, token, ...events }) {
  const say = useWords();
  const [button, setButton] = useState(/** @type {HTMLElement | null} */ (null));
  const wasOpen = useRef(false);
  const label = say("share.menu");
  const row = { id: thread, title, at: 0, pinned, tone: "", share: token };
  /** @type {Record<string, (...given: any[]) => void>} */
  const actions = {
    ...threadActions(archived ? "archive" : "main", thread, events, say),
    edit: () => renameTitle(thread),
  };
  return (
    <>
      <button
        type="button"
        className="icon-button thread-menu"
        aria-haspopup="menu"
        aria-expanded={button !== null}
        aria-label={label}
        title={label}
        onPointerDown={() => (wasOpen.current = button !== null)} // which closes the menu
        onClick={(event) => setButton(wasOpen.current && event.detail > 0 ? null : event.currentTarget)}
        data-testid="share-menu"
      >
        <Ellipsis size={16} aria-hidden="true" />
      </button>
      {button && (
        <Menu
          row={row}
          button={button}
          archived={archived}
          act={(name, ...given) => actions[name](...given)}
          onClose={() => setButton(null)}
        />
      )}
    </>
  );
}
