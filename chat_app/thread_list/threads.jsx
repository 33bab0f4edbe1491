// A thread list: grouped by date, loaded page by page while scrolling, updated row by row. The arrow keys move between
// rows, F2 renames, Delete deletes, and the button in a row opens a menu with all actions.

import { useCallback, useEffect, useEffectEvent, useLayoutEffect, useRef, useState } from "react";
import { useLanguage, useWords } from "../i18n/words.js";
import { useNow } from "../ui/durations.jsx";
import { ago } from "../ui/date_time.jsx";
import { grouped, monthName } from "./date_groups.js";
import { Menu } from "./menu.jsx";
import { threadActions } from "./thread_actions.js";
import { rowsOf, useRows } from "./thread_rows.js";
import { Row } from "./thread_row.jsx";

/** @import { Patch, Shown } from "./thread_rows.js" */
/** Run the named action on a row. @typedef {(name: string, ...given: any[]) => void} Act */
/**
 * @typedef {{
 *   onGap: () => void,
 *   onMore: (shown: number) => void,
 *   onReconnect: (wanted: number) => void,
 *   onRename: (threadId: string, title: string) => void,
 *   onPin: (threadId: string, pinned: boolean) => void,
 *   onArchive: (threadId: string, archived: boolean) => void,
 *   onDelete: (threadId: string) => void,
 *   onRestore: (threadId: string, open: boolean) => void,
 *   onExport: (threadId: string, names: Record<string, string>) => void,
 *   onShare: (threadId: string) => void,
 *   onUnshare: (threadId: string) => void,
 * }} Events
 */
/** Row whose menu is open, and the button that opened it. @typedef {{ id: string, button: HTMLElement }} Opened */

const GAP_TIMEOUT_MS = 300; // the missing patch may still arrive
const MARGIN = "600px";
/** @type {Record<string, number | string>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, Home: "Home", End: "End" };

/**
 * Apply the server's patches; request the whole list if one is missing.
 *
 * @param {string} list
 * @param {Patch} patch
 * @param {Events["onGap"]} onGap
 * @param {Events["onReconnect"]} onReconnect
 */
function usePatches(list, patch, onGap, onReconnect) {
  const ask = useEffectEvent(onGap);
  const reconnect = useEffectEvent(onReconnect);
  useLayoutEffect(() => {
    const rows = rowsOf(list);
    if (rows.apply(patch)) {
      if (!patch.base && rows.wanted) reconnect(rows.wanted);
      return undefined;
    }
    const timer = setTimeout(() => ask(), GAP_TIMEOUT_MS);
    return () => clearTimeout(timer);
  }, [list, patch]);
}

/**
 * Request more rows whenever the end of the list comes near.
 *
 * @param {React.RefObject<HTMLElement | null>} box
 * @param {Shown} shown
 * @param {Events["onMore"]} onMore
 */
function useMore(box, { rows, more }, onMore) {
  const end = useRef(/** @type {HTMLDivElement | null} */ (null));
  const ask = useEffectEvent(onMore);
  const count = rows.length;
  useEffect(() => {
    if (!more || !end.current) return undefined;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && ask(count),
      { root: box.current, rootMargin: MARGIN },
    );
    observer.observe(end.current);
    return () => observer.disconnect();
  }, [box, count, more]);
  return end;
}

/**
 * @param {HTMLElement | null} box
 * @returns {HTMLElement[]}
 */
const linksOf = (box) => Array.from(box?.querySelectorAll(".thread-item a") ?? []);

/**
 * Return the index of the link whose row contains an element; -1 if there is none.
 *
 * @param {HTMLElement[]} links
 * @param {Element | null} element
 */
const indexOf = (links, element) => links.findIndex((each) => each.closest("li")?.contains(element));

/**
 * @param {HTMLElement | null} box
 * @param {Element} from
 * @param {number | string} step
 */
function focusBeside(box, from, step) {
  const links = linksOf(box);
  const index = indexOf(links, from);
  const next = step === "Home" ? 0 : step === "End" ? links.length - 1 : index + Number(step);
  links[Math.min(links.length - 1, Math.max(0, next))]?.focus();
}

/**
 * Return a stable function that runs a row's actions.
 *
 * @param {string} list
 * @param {React.RefObject<HTMLElement | null>} box
 * @param {string} activeId
 * @param {Events} props
 * @param {(menu: Opened) => void} setMenu
 * @param {(id: string | null) => void} setRenaming
 */
function useActions(list, box, activeId, props, setMenu, setRenaming) {
  const say = useWords();
  const latest = useRef(/** @type {Record<string, (...given: any[]) => void>} */ ({}));
  const own = threadActions(list, activeId, props, say);
  const focusNeighbour = () => {
    const links = linksOf(box.current);
    const at = indexOf(links, document.activeElement);
    (links[at + 1] ?? links[at - 1])?.focus();
  };
  /** @type {typeof latest.current} */
  const actions = {
    ...own,
    rename(row, title) {
      setRenaming(null);
      requestAnimationFrame(() => {
        const item = box.current?.querySelector(`[data-thread-id="${CSS.escape(row.id)}"]`);
        item?.querySelector("a")?.focus();
      });
      own.rename(row, title);
    },
    edit: (row) => setRenaming(row.id),
    menu: (row, button) => setMenu({ id: row.id, button }),
    archive(row, byKey) {
      focusNeighbour();
      own.archive(row, byKey);
    },
    delete(row, byKey) {
      focusNeighbour();
      own.delete(row, byKey);
    },
    key(event, row) {
      const step = STEPS[event.key];
      if (step !== undefined) focusBeside(box.current, event.target, step);
      else if (event.key === "F2") actions.edit(row);
      else if (event.key === "Delete") actions.delete(row, true);
      else return;
      event.preventDefault();
    },
  };
  useLayoutEffect(() => {
    latest.current = actions;
  });
  return useCallback(
    (/** @type {string} */ name, /** @type {any[]} */ ...given) => latest.current[name](...given),
    [],
  );
}

/** @param {{ list?: string, patch: Patch, activeId?: string, empty: string } & Events} props */
export function Threads({ list = "main", patch, activeId = "", empty, ...props }) {
  const say = useWords();
  const language = useLanguage();
  const now = useNow(30_000);
  const box = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [menu, setMenu] = useState(/** @type {Opened | null} */ (null));
  const [renaming, setRenaming] = useState(/** @type {string | null} */ (null));
  const [focused, setFocused] = useState(/** @type {string | null} */ (null));
  usePatches(list, patch, props.onGap, props.onReconnect);
  const shown = useRows(list);
  const end = useMore(box, shown, props.onMore);
  const act = useActions(list, box, activeId, props, setMenu, setRenaming);
  const open = shown.rows.find((row) => row.id === menu?.id);
  const first = shown.rows.some((row) => row.id === focused)
    ? focused
    : (shown.rows.find((row) => row.id === activeId) ?? shown.rows[0])?.id;
  /** @type {Record<string, string>} */
  const names = {
    pinned: say("sidebar.pinned"),
    today: say("sidebar.today"),
    yesterday: say("sidebar.yesterday"),
    week: say("sidebar.last_week"),
    month: say("sidebar.last_month"),
  };
  /** @param {string | number} group */
  const headOf = (group) => (typeof group === "number" ? monthName(group, now, language) : names[group]);
  return (
    <div
      ref={box}
      className="thread-list"
      data-testid={list === "main" ? "thread-list" : "archive"}
      onFocus={(event) =>
        setFocused(event.target.closest("[data-thread-id]")?.getAttribute("data-thread-id") ?? null)
      }
    >
      {shown.number > 0 && !shown.rows.length && <p className="nothing">{empty}</p>}
      {grouped(shown.rows, now).map(([name, rows]) => (
        <section key={name} aria-label={headOf(name)}>
          <h2 aria-hidden="true">{headOf(name)}</h2>
          <ul>
            {rows.map((row) => (
              <Row
                key={row.id}
                row={row}
                when={ago(row.at, now, say, language)}
                active={row.id === activeId}
                reachable={row.id === first}
                opened={row.id === menu?.id}
                renaming={row.id === renaming}
                act={act}
              />
            ))}
          </ul>
        </section>
      ))}
      <div ref={end} className="list-end" />
      {menu && open && (
        <Menu
          key={open.id}
          row={open}
          button={menu.button}
          archived={list === "archive"}
          act={act}
          onClose={() => setMenu(null)}
        />
      )}
    </div>
  );
}
