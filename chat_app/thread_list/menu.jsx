// The menu of a thread, the same in its row and on its page: a native popover, so that it is above everything and a
// click outside closes it.

import { useLayoutEffect, useRef, useState } from "react";
import Archive from "lucide-react/dist/esm/icons/archive.mjs";
import ArchiveRestore from "lucide-react/dist/esm/icons/archive-restore.mjs";
import Download from "lucide-react/dist/esm/icons/download.mjs";
import Link from "lucide-react/dist/esm/icons/link.mjs";
import Pencil from "lucide-react/dist/esm/icons/pencil.mjs";
import Pin from "lucide-react/dist/esm/icons/pin.mjs";
import PinOff from "lucide-react/dist/esm/icons/pin-off.mjs";
import Trash2 from "lucide-react/dist/esm/icons/trash-2.mjs";
import { useWords } from "../i18n/words.js";
import { Sharing } from "./sharing.jsx";

/** @import { Act } from "./threads.jsx" */
/** @import { Row } from "./thread_rows.js" */

const MARGIN = 8; // pixels to the window's edges

/**
 * @param {HTMLElement} element
 * @param {HTMLElement} button
 */
function place(element, button) {
  const at = button.getBoundingClientRect();
  const size = element.getBoundingClientRect();
  const rtl = document.documentElement.dir === "rtl";
  const left = rtl ? at.left : at.right - size.width;
  const below = at.bottom + 4;
  const top = below + size.height > innerHeight - MARGIN ? at.top - size.height - 4 : below;
  element.style.left = `${Math.max(MARGIN, Math.min(left, innerWidth - size.width - MARGIN))}px`;
  element.style.top = `${Math.max(MARGIN, top)}px`;
}

/**
 * @param {Row} row
 * @param {boolean} archived
 * @param {import("../i18n/words.js").Say} say
 * @returns {[name: string, icon: import("lucide-react").LucideIcon, words: string][]}
 */
function items(row, archived, say) {
  /** @type {[string, import("lucide-react").LucideIcon, string]} */
  const pin = row.pinned ? ["pin", PinOff, say("sidebar.unpin")] : ["pin", Pin, say("sidebar.pin")];
  return [
    ["edit", Pencil, say("sidebar.rename")],
    ...(archived ? [] : [pin]),
    ["share", Link, say("share.title")],
    ["export-md", Download, say("share.export_markdown")],
    ["export-json", Download, say("share.export_json")],
    archived
      ? ["archive", ArchiveRestore, say("sidebar.unarchive")]
      : ["archive", Archive, say("sidebar.archive")],
    ["delete", Trash2, say("sidebar.delete")],
  ];
}

/**
 * Move the focus between the buttons of a menu; return whether the key does that.
 *
 * @param {React.KeyboardEvent} event
 */
function moveFocus(event) {
  const all = [...event.currentTarget.querySelectorAll("button")];
  const at = all.findIndex((each) => each === document.activeElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
  if (next !== undefined) all[next % all.length].focus();
  return next !== undefined;
}

/**
 * @param {{
 *   row: Row,
 *   button: HTMLElement,
 *   archived: boolean,
 *   act: Act,
 *   onClose: () => void,
 * }} props
 */
export function Menu({ row, button, archived, act, onClose }) {
  const say = useWords();
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [sharing, setSharing] = useState(false);
  useLayoutEffect(() => {
    box.current?.showPopover();
  }, []);
  useLayoutEffect(() => {
    const { current: el } = box;
    if (!el) return;
    place(el, button);
    /** @type {HTMLElement | null} */ (el.querySelector("input, button"))?.focus();
  }, [button, sharing, row.share]);
  const close = () => {
    button.focus();
    box.current?.hidePopover();
    onClose();
  };
  /** @param {React.KeyboardEvent} event */
  const onKeyDown = (event) => {
    event.stopPropagation(); // Esc stops an answer elsewhere
    if (event.key === "Escape" || (event.key === "Tab" && !sharing)) close();
    else if (sharing || !moveFocus(event)) return;
    event.preventDefault();
  };
  /** @type {(name: string) => (event: React.MouseEvent) => void} */
  const choose = (name) => (event) => {
    if (name === "share") return setSharing(true);
    const byKey = event.detail === 0;
    close();
    act(name, row, byKey);
  };
  return (
    <div
      ref={box}
      popover="auto"
      role={sharing ? "dialog" : "menu"}
      className="menu-box"
      aria-label={sharing ? say("share.title") : say("sidebar.actions", { title: row.title })}
      onKeyDown={onKeyDown}
      onToggle={(event) => event.newState === "closed" && onClose()}
      data-testid="menu-box"
    >
      {sharing ? (
        <Sharing row={row} act={act} />
      ) : (
        items(row, archived, say).map(([name, Icon, words]) => (
          <button
            key={name}
            type="button"
            role="menuitem"
            tabIndex={-1}
            className={name === "delete" ? "danger" : undefined}
            onClick={choose(name)}
            data-testid={`menu-${name}`}
          >
            <Icon size={16} aria-hidden="true" />
            {words}
          </button>
        ))
      )}
    </div>
  );
}
