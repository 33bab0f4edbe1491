// The run drawer: beside the messages where there is room, a sheet over the page on a phone. This browser remembers
// whether it is open; on a phone it starts closed, because it would cover the page.

import { useCallback, useEffect, useLayoutEffect, useRef, useSyncExternalStore } from "react";
import Activity from "lucide-react/dist/esm/icons/activity.mjs";
import X from "lucide-react/dist/esm/icons/x.mjs";
import { useWords } from "../i18n/words.js";
import { isComposing, readStored, store } from "../ui/browser.js";
import { SharedValue, useShared } from "../ui/shared_value.js";
import { Durability } from "./durability.jsx";
import { Turns } from "./timeline.jsx";

/**
 * @typedef {{
 *   turn: import("./spans.jsx").Turn,
 *   earlier: import("./spans.jsx").Turn[],
 *   more: boolean,
 *   durability: import("./durability.jsx").Snapshot,
 *   at: number,
 *   demo: boolean,
 *   onMore: () => void,
 *   onCrash: () => void,
 * }} Drawn
 */

const KEY = "chat:timeline";
const ID = "run-drawer";
const PHONE = "(max-width: 767px), (max-height: 479px) and (max-width: 1023px)"; // as in shell.css
const isPhone = () => window.matchMedia(PHONE).matches;

const open = new SharedValue(readStored("localStorage", KEY) === "open" && !isPhone());
let byUser = false; // whether the user has opened or closed it on this page: then the focus moves, too
/** @type {HTMLButtonElement | null} */
let toggle = null; // the button that gets the focus back

/** @param {boolean} next */
function setOpen(next) {
  if (open.value === next) return;
  byUser = true;
  store("localStorage", KEY, next ? "open" : "closed");
  open.set(next);
  if (!next) toggle?.focus();
}

const useOpen = () => useShared(open, false, (value) => value);

function usePhone() {
  /** @param {() => void} listener */
  const follow = useCallback((/** @type {() => void} */ listener) => {
    const query = window.matchMedia(PHONE);
    query.addEventListener("change", listener);
    return () => query.removeEventListener("change", listener);
  }, []);
  return useSyncExternalStore(follow, isPhone, () => false);
}

export function RunToggle() {
  const say = useWords();
  const shown = useOpen();
  const label = say("timeline.title");
  return (
    <button
      ref={(button) => void (toggle = button ?? toggle)}
      type="button"
      className="icon-button run-toggle"
      aria-label={label}
      title={label}
      aria-expanded={shown}
      aria-controls={ID}
      onClick={() => setOpen(!shown)}
      data-testid="timeline-toggle"
    >
      <Activity size={16} aria-hidden="true" />
    </button>
  );
}

/** @param {{ shown: boolean, onShow: (shown: boolean) => void } & Drawn} props */
export function RunDrawer({ shown, onShow, ...rest }) {
  const isOpen = useOpen();
  const phone = usePhone();
  // The server loses this value with its process, so a reconnected tab sends it again.
  useEffect(() => {
    if (isOpen !== shown) onShow(isOpen);
  }, [isOpen, shown, onShow]);
  if (!isOpen) return null;
  return phone ? <Sheet {...rest} /> : <Aside {...rest} />;
}

/** @param {Drawn} props */
function Aside(props) {
  const say = useWords();
  /** @param {React.KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.key !== "Escape" || isComposing(event)) return;
    event.preventDefault(); // elsewhere Esc stops the agent
    setOpen(false);
  };
  return (
    <aside
      id={ID}
      className="run-drawer"
      aria-label={say("timeline.title")}
      onKeyDown={onKeyDown}
      data-testid="timeline"
    >
      <Content {...props} />
    </aside>
  );
}

/** @param {Drawn} props */
function Sheet(props) {
  const say = useWords();
  const sheet = useRef(/** @type {HTMLDialogElement | null} */ (null));
  // Close it before it leaves the DOM: only then does the browser restore the focus.
  useLayoutEffect(() => {
    const { current: dialog } = sheet;
    if (!dialog?.open) dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={sheet}
      id={ID}
      className="run-drawer sheet"
      aria-label={say("timeline.title")}
      onCancel={(event) => (event.preventDefault(), setOpen(false))}
      onClick={(event) => event.target === event.currentTarget && setOpen(false)}
      data-testid="timeline"
    >
      <Content {...props} />
    </dialog>
  );
}

/** @param {Drawn} props */
function Content({ turn, earlier, more, durability, at, demo, onMore, onCrash }) {
  const say = useWords();
  const close = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    if (byUser) close.current?.focus({ preventScroll: true });
  }, []);
  return (
    <div className="run-content">
      <header>
        <h2>{say("timeline.title")}</h2>
        <button
          ref={close}
          type="button"
          className="icon-button small"
          onClick={() => setOpen(false)}
          aria-label={say("timeline.close")}
          title={say("timeline.close")}
          data-testid="timeline-close"
        >
          <X size={16} aria-hidden="true" />
        </button>
      </header>
      <Durability durability={durability} at={at} demo={demo} onCrash={onCrash} />
      <Turns turn={turn} earlier={earlier} more={more} at={at} onMore={onMore} />
    </div>
  );
}
