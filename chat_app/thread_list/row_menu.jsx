// The menu of a thread's row: a native popover, so that it is above everything and a click outside closes it.

import { useLayoutEffect, useRef } from "react";
import Archive from "lucide-react/dist/esm/icons/archive.mjs";
import ArchiveRestore from "lucide-react/dist/esm/icons/archive-restore.mjs";
import Pencil from "lucide-react/dist/esm/icons/pencil.mjs";
import Pin from "lucide-react/dist/esm/icons/pin.mjs";
import PinOff from "lucide-react/dist/esm/icons/pin-off.mjs";
import Trash2 from "lucide-react/dist/esm/icons/trash-2.mjs";
import { useWords } from "../i18n/words.js";

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
    archived
      ? ["archive", ArchiveRestore, say("sidebar.unarchive")]
      : ["archive", Archive, say("sidebar.archive")],
    ["delete", Trash2, say("sidebar.delete")],
  ];
}

/**
 * @param {{
 *   menu: { row: Row, button: HTMLElement } | null,
 *   archived: boolean,
 *   act: Act,
 *   onClose: () => void,
 * }} props
 */
export function RowMenu({ menu, archived, act, onClose }) {
  const say = useWords();
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  useLayoutEffect(() => {
    const { current: el } = box;
    if (!menu || !el) return;
    el.showPopover();
    place(el, menu.button);
    el.querySelector("button")?.focus();
  }, [menu]);
  if (!menu) return null;
  const { row, button } = menu;
  const close = () => {
    box.current?.hidePopover();
    onClose();
  };
  /** @param {React.KeyboardEvent} event */
  const onKeyDown = (event) => {
    event.stopPropagation();
    const all = [...event.currentTarget.querySelectorAll("button")];
    const at = all.findIndex((each) => each === document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1 + all.length, Home: 0, End: all.length - 1 }[event.key];
    if (next !== undefined) all[next % all.length].focus();
    else if (event.key === "Escape" || event.key === "Tab") {
      button.focus();
      close();
    } else return;
    event.preventDefault();
  };
  /** @type {(name: string) => (event: React.MouseEvent) => void} */
  const choose = (name) => (event) => {
    const byKey = event.detail === 0;
    button.focus();
    close();
    act(name, row, byKey);
  };
  return (
    <div
      ref={box}
      popover="auto"
      role="menu"
      className="menu-box"
      aria-label={say("sidebar.actions", { title: row.title })}
      onKeyDown={onKeyDown}
      onToggle={(event) => event.newState === "closed" && onClose()}
      data-testid="menu-box"
    >
      {items(row, archived, say).map(([name, Icon, words]) => (
        <button
          key={name}
          type="button"
          role="menuitem"
          tabIndex={-1}
          className={name}
          onClick={choose(name)}
          data-testid={`menu-${name}`}
        >
          <Icon size={16} aria-hidden="true" />
          {words}
        </button>
      ))}
    </div>
  );
}
