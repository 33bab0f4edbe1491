// The options of the search dialog: commands, and the newest threads or the search hits.

import { Fragment } from "react";
import Archive from "lucide-react/dist/esm/icons/archive.mjs";
import CalendarClock from "lucide-react/dist/esm/icons/calendar-clock.mjs";
import ChartColumn from "lucide-react/dist/esm/icons/chart-column.mjs";
import Inbox from "lucide-react/dist/esm/icons/inbox.mjs";
import MessageSquare from "lucide-react/dist/esm/icons/message-square.mjs";
import MessagesSquare from "lucide-react/dist/esm/icons/messages-square.mjs";
import Settings from "lucide-react/dist/esm/icons/settings.mjs";
import SquarePen from "lucide-react/dist/esm/icons/square-pen.mjs";
import SunMoon from "lucide-react/dist/esm/icons/sun-moon.mjs";
import { useLanguage, useWords } from "../i18n/words.js";
import { useNow } from "../ui/durations.jsx";
import { ago } from "../ui/date_time.jsx";
import { searchKey, split } from "./text_folding.js";

/** Command of the dialog. @typedef {{ name: string, label: string, icon: string, to: string }} Command */
/**
 * The server's `HitView`: a thread, or a message in a thread, that a search found.
 *
 * @typedef {{
 *   thread_id: string,
 *   message_id: string,
 *   title: string,
 *   snippet: string,
 *   at: number,
 *   archived: boolean,
 * }} Hit
 */
/**
 * @typedef {{
 *   id: string,
 *   group: string,
 *   icon: string,
 *   title: string,
 *   to: string,
 *   snippet?: string,
 *   at?: number,
 *   archived?: boolean,
 * }} Option
 */

const NEWEST = 6;
/** @type {Record<string, import("lucide-react").LucideIcon>} */
const ICONS = {
  archive: Archive,
  hit: MessageSquare,
  inbox: Inbox,
  new: SquarePen,
  schedules: CalendarClock,
  settings: Settings,
  theme: SunMoon,
  thread: MessagesSquare,
  usage: ChartColumn,
};

/**
 * @param {string} text
 * @param {string} words
 */
const matches = (text, words) =>
  searchKey(words)
    .split(" ")
    .every((word) => searchKey(text).includes(word));

/**
 * Return the options for the typed words, in order; `group` is the heading of each.
 *
 * @param {string} words
 * @param {Command[]} commands
 * @param {import("../thread_list/thread_rows.js").Row[]} rows
 * @param {Hit[]} hits
 * @returns {Option[]}
 */
export function optionsFor(words, commands, rows, hits) {
  const matching = commands.filter((command) => !words || matches(command.label, words));
  const acts = matching.map(({ name, label, icon, to }) => ({
    id: name,
    group: "commands",
    icon,
    title: label,
    to,
  }));
  const found = words
    ? hits.map((hit) => ({
        id: `${hit.thread_id}-${hit.message_id}`,
        group: "found",
        icon: hit.archived ? "archive" : hit.message_id ? "hit" : "thread",
        title: hit.title,
        snippet: hit.snippet,
        at: hit.at,
        archived: hit.archived,
        to: `/chat/${hit.thread_id}${hit.message_id && `#${hit.message_id}`}`,
      }))
    : [...rows]
        .sort((a, b) => b.at - a.at)
        .slice(0, NEWEST)
        .map((row) => ({
          id: row.id,
          group: "newest",
          icon: "thread",
          title: row.title,
          at: row.at,
          to: `/chat/${row.id}`,
        }));
  return words ? [...found, ...acts] : [...acts, ...found];
}

/**
 * Text with the searched words highlighted.
 *
 * @param {{ text: string, words: string }} props
 */
function Marked({ text, words }) {
  if (!words) return text;
  const pieces = split(text, words.split(" "));
  return pieces.map((piece, i) => (i % 2 ? <mark key={i}>{piece}</mark> : piece));
}

/**
 * @param {{
 *   id: string,
 *   option: Option,
 *   chosen: boolean,
 *   words: string,
 *   now: number,
 *   onTake: () => void,
 *   onPoint: () => void,
 * }} props
 */
function Option({ id, option, chosen, words, now, onTake, onPoint }) {
  const say = useWords();
  const language = useLanguage();
  const Icon = ICONS[option.icon] ?? MessageSquare;
  const marked = option.group === "found" ? words : "";
  return (
    <li
      id={id}
      role="option"
      aria-selected={chosen}
      className="option"
      onClick={onTake}
      onMouseMove={chosen ? undefined : onPoint}
      data-testid="option"
      data-to={option.to}
    >
      <Icon size={16} aria-hidden="true" />
      <span className="option-text">
        <span className="option-title" dir="auto">
          <Marked text={option.title || say("sidebar.new_chat")} words={marked} />
        </span>
        {option.snippet && (
          <span className="option-snippet" dir="auto">
            <Marked text={option.snippet} words={marked} />
          </span>
        )}
      </span>
      {option.archived && <span className="sr-only">, {say("sidebar.archived")}</span>}
      {option.at && <time>{ago(option.at, now, say, language)}</time>}
    </li>
  );
}

/**
 * @param {{
 *   name: string,
 *   options: Option[],
 *   at: number,
 *   words: string,
 *   onTake: (option: Option) => void,
 *   onPoint: (at: number) => void,
 * }} props
 */
export function Options({ name, options, at, words, onTake, onPoint }) {
  const say = useWords();
  const now = useNow(30_000);
  /** @type {Record<string, string>} */
  const heads = {
    commands: say("search.commands"),
    found: say("search.hits"),
    newest: say("search.newest"),
  };
  return (
    <ul id={name} role="listbox" className="options" aria-label={say("search.label")}>
      {options.map((option, i) => (
        <Fragment key={`${option.group}-${option.id}`}>
          {option.group !== options[i - 1]?.group && (
            <li role="presentation" className="options-head">
              {heads[option.group]}
            </li>
          )}
          <Option
            id={`${name}-${i}`}
            option={option}
            chosen={i === at}
            words={words}
            now={now}
            onTake={() => onTake(option)}
            onPoint={() => onPoint(i)}
          />
        </Fragment>
      ))}
    </ul>
  );
}
