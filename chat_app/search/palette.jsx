// The Ctrl+K dialog: commands, the newest threads, and a search in titles and messages. The field keeps the focus, the
// arrow keys move through the options below it, and Enter takes one.

import { useCallback, useEffect, useEffectEvent, useId, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import Search from "lucide-react/dist/esm/icons/search.mjs";
import { useTell, useWords } from "../i18n/words.js";
import { isComposing } from "../ui/browser.js";
import { Options, optionsFor } from "./palette_options.jsx";
import { closeSidebar } from "../thread_list/thread_row.jsx";
import { useRows } from "../thread_list/thread_rows.js";

/** @import { Command, Hit, Option } from "./palette_options.jsx" */

const DEBOUNCE_MS = 150; // between the last key and the search

/**
 * Call `open` on Ctrl+K (Cmd+K on a Mac), and on a click on any element with `data-open-palette`.
 *
 * @param {() => void} open
 */
function useOpenShortcut(open) {
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      if (
        event.key.toLowerCase() !== "k" ||
        !(event.ctrlKey || event.metaKey) ||
        event.shiftKey ||
        event.altKey
      )
        return;
      event.preventDefault();
      open();
    };
    /** @param {MouseEvent} event */
    const onClick = (event) =>
      /** @type {Element} */ (event.target).closest?.("[data-open-palette]") && open();
    window.addEventListener("keydown", onKey);
    document.addEventListener("click", onClick);
    return () => {
      window.removeEventListener("keydown", onKey);
      document.removeEventListener("click", onClick);
    };
  }, [open]);
}

/**
 * Search on the server once the user pauses.
 *
 * @param {string} words
 * @param {(query: string) => void} onQuery
 */
function useSearch(words, onQuery) {
  const ask = useEffectEvent(onQuery);
  useEffect(() => {
    if (!words) return undefined;
    const timer = setTimeout(() => ask(words), DEBOUNCE_MS);
    return () => clearTimeout(timer);
  }, [words]);
}

/**
 * @param {{
 *   commands?: Command[],
 *   query?: string,
 *   hits?: Hit[],
 *   error?: string,
 *   errorInfo?: Partial<import("../i18n/phrase.js").Info> | null,
 *   onQuery: (query: string) => void,
 *   onTheme: () => void,
 * }} props
 */
export function Palette({
  commands = [],
  query = "",
  hits = [],
  error = "",
  errorInfo = null,
  onQuery,
  onTheme,
}) {
  const say = useWords();
  const tell = useTell();
  const go = useNavigate();
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const name = useId();
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const words = text.trim().replace(/\s+/g, " ");
  const current = query === words; // whether the hits belong to the typed words
  const { rows } = useRows("main");
  const options = useMemo(() => optionsFor(words, commands, rows, hits), [words, commands, rows, hits]);
  useSearch(words, onQuery);
  const open = useCallback(() => {
    closeSidebar();
    if (!dialog.current?.open) dialog.current?.showModal();
    field.current?.select();
  }, []);
  useOpenShortcut(open);
  useEffect(() => {
    document.getElementById(`${name}-${at}`)?.scrollIntoView({ block: "nearest" });
  }, [name, at]);

  /** @param {string} typed */
  const write = (typed) => {
    setText(typed);
    setAt(0);
  };
  /** @param {Option} option */
  const take = (option) => {
    if (!option) return;
    dialog.current?.close();
    if (option.to) go(option.to);
    else if (option.id === "theme") onTheme();
  };
  /** @param {React.KeyboardEvent} event */
  const onKeyDown = (event) => {
    event.stopPropagation();
    if (isComposing(event)) return;
    const last = options.length - 1;
    if (event.key === "ArrowDown") setAt(at >= last ? 0 : at + 1);
    else if (event.key === "ArrowUp") setAt(at <= 0 ? last : at - 1);
    else if (event.key === "Enter") take(options[at]);
    else if (event.key === "k" && (event.ctrlKey || event.metaKey)) dialog.current?.close();
    else return;
    event.preventDefault();
  };
  const nothing = words && current && !hits.length;
  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label={say("search.label")}
      onClose={() => write("")}
      onClick={(event) => event.target === event.currentTarget && event.currentTarget.close()}
      data-testid="palette"
    >
      <div className="palette-field">
        <Search size={16} aria-hidden="true" />
        <input
          ref={field}
          value={text}
          maxLength={200}
          dir="auto"
          role="combobox"
          aria-expanded="true"
          aria-autocomplete="list"
          aria-controls={name}
          aria-activedescendant={options.length ? `${name}-${at}` : undefined}
          aria-label={say("search.label")}
          placeholder={say("search.placeholder")}
          onChange={(event) => write(event.target.value)}
          onKeyDown={onKeyDown}
          autoComplete="off"
          spellCheck={false}
          data-testid="palette-field"
        />
        <kbd>Esc</kbd>
      </div>
      <Options name={name} options={options} at={at} words={words} onTake={take} onPoint={setAt} />
      <p className="palette-word" role="status" data-testid="palette-word" data-query={current ? words : ""}>
        {nothing && (tell(error, errorInfo) || say("search.nothing", { query: words }))}
        {words && !current && !hits.length && say("search.searching")}
        {words && current && hits.length > 0 && (
          <span className="sr-only">{say("search.found", { count: hits.length })}</span>
        )}
      </p>
    </dialog>
  );
}
