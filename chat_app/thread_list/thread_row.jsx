// One row of a thread list: a link, the thread's status, and a button for its menu. It rerenders only when its props
// change.

import { memo, useEffect, useRef } from "react";
import { Link } from "react-router";
import Ellipsis from "lucide-react/dist/esm/icons/ellipsis.mjs";
import { useWords } from "../i18n/words.js";
import { isComposing } from "../ui/browser.js";

/** @import { Act } from "./threads.jsx" */

/** Close the sidebar where it covers the page. */
export function closeSidebar() {
  /** @type {HTMLElement | null} */
  const sidebar = document.querySelector(".sidebar:popover-open");
  sidebar?.hidePopover();
}

/**
 * @param {import("../i18n/words.js").Say} say
 * @param {string} name
 */
function tone(say, name) {
  if (name === "running") return say("sidebar.running");
  if (name === "paused") return say("sidebar.paused");
  if (name === "waiting") return say("sidebar.needs_you");
  return name === "failed" ? say("sidebar.failed") : "";
}

/** @param {{ row: import("./thread_rows.js").Row, act: Act }} props */
export function Rename({ row, act }) {
  const say = useWords();
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const done = useRef(false);
  useEffect(() => field.current?.select(), []);
  /** @param {string | null} title */
  const finish = (title) => {
    if (done.current) return; // removing the field blurs it as well
    done.current = true;
    act("rename", row, title);
  };
  /** @param {React.KeyboardEvent<HTMLInputElement>} event */
  const onKeyDown = (event) => {
    event.stopPropagation(); // Esc stops an answer elsewhere
    if (isComposing(event)) return;
    if (event.key === "Enter") finish(event.currentTarget.value);
    else if (event.key === "Escape") finish(null);
    else return;
    event.preventDefault();
  };
  return (
    <input
      ref={field}
      className="rename"
      defaultValue={row.title}
      maxLength={120}
      dir="auto"
      autoFocus
      aria-label={say("sidebar.title")}
      onKeyDown={onKeyDown}
      onBlur={(event) => finish(event.target.value)}
      data-testid="rename"
    />
  );
}

/**
 * @type {React.NamedExoticComponent<{
 *   row: import("./thread_rows.js").Row,
 *   when: string,
 *   active: boolean,
 *   reachable: boolean,
 *   opened: boolean,
 *   renaming: boolean,
 *   act: Act,
 * }>}
 */
export const Row = memo(function Row({ row, when, active, reachable, opened, renaming, act }) {
  const say = useWords();
  const wasOpened = useRef(false);
  const title = row.title || say("sidebar.new_chat");
  const tab = reachable ? 0 : -1;
  const date = new Date(row.at * 1000);
  return (
    <li
      className="thread-item"
      data-testid="thread-item"
      data-thread-id={row.id}
      data-active={active}
      data-tone={row.tone}
      data-opened={opened}
    >
      {renaming ? (
        <Rename row={row} act={act} />
      ) : (
        <>
          <Link
            to={`/chat/${row.id}`}
            title={title}
            tabIndex={tab}
            aria-current={active ? "page" : undefined}
            onClick={closeSidebar}
            onDoubleClick={() => act("edit", row)}
            onKeyDown={(event) => act("key", event, row)}
          >
            <span className="dot" data-tone={row.tone} />
            <span className="title">{title}</span>
            {row.tone && <span className="sr-only">, {tone(say, row.tone)}</span>}
            <time dateTime={date.toISOString()} suppressHydrationWarning>
              {when}
            </time>
          </Link>
          <button
            type="button"
            className="icon-button small"
            tabIndex={tab}
            aria-haspopup="menu"
            aria-expanded={opened}
            aria-label={say("sidebar.actions", { title })}
            onPointerDown={() => (wasOpened.current = opened)} // which closes the menu
            onClick={(event) =>
              (wasOpened.current && event.detail > 0) || act("menu", row, event.currentTarget)
            }
            onKeyDown={(event) =>
              ["ArrowDown", "ArrowUp"].includes(event.key) &&
              (event.preventDefault(), act("menu", row, event.currentTarget))
            }
            data-testid="thread-menu"
          >
            <Ellipsis size={16} aria-hidden="true" />
          </button>
        </>
      )}
    </li>
  );
});
