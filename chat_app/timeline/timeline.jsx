// The timeline: turns, newest first, each with its spans. Screen readers see a list; the bars are decoration. An open
// span grows by the browser's clock, adjusted to the server's, so that it needs no updates from the server.

import { useEffect, useMemo, useState } from "react";
import Bot from "lucide-react/dist/esm/icons/bot.mjs";
import Hourglass from "lucide-react/dist/esm/icons/hourglass.mjs";
import LifeBuoy from "lucide-react/dist/esm/icons/life-buoy.mjs";
import ListEnd from "lucide-react/dist/esm/icons/list-end.mjs";
import RefreshCw from "lucide-react/dist/esm/icons/refresh-cw.mjs";
import User from "lucide-react/dist/esm/icons/user.mjs";
import Wrench from "lucide-react/dist/esm/icons/wrench.mjs";
import { useLanguage, useTell, useWords } from "../i18n/words.js";
import { useDuration } from "../ui/durations.jsx";
import { processName, tokensOf, useSentence, useStatus } from "./spans.jsx";

/** @import { Span, Turn as TurnOf } from "./spans.jsx" */
/** @typedef {ReturnType<typeof useNumbers>} Numbers */

const TICK_MS = 200;
/** @type {Record<string, import("lucide-react").LucideIcon>} */
const ICONS = {
  model: Bot,
  tool: Wrench,
  outside: User,
  person: User,
  retry: Hourglass,
  pause: Hourglass,
  turn: ListEnd,
  worker: ListEnd,
  recovery: LifeBuoy,
  agent: RefreshCw,
};

/**
 * Return the server's time, in seconds since the epoch; it ticks while `moving`.
 *
 * @param {number} at
 * @param {boolean} moving
 */
export function useServerNow(at, moving) {
  // eslint-disable-next-line react-hooks/purity -- read once per server time
  const ahead = useMemo(() => (at ? Date.now() / 1000 - at : 0), [at]);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    // eslint-disable-next-line react-hooks/set-state-in-effect -- a stopped clock shows the current time, too
    setNow(Date.now());
    if (!moving) return undefined;
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [moving, at]);
  return now / 1000 - ahead;
}

function useNumbers() {
  const language = useLanguage();
  return useMemo(() => {
    /** @param {number} dollars */
    const money = new Intl.NumberFormat(language, {
      style: "currency",
      currency: "USD",
      maximumSignificantDigits: 2,
    });
    return {
      money: (/** @type {number} */ dollars) => money.format(dollars),
      /** @param {number} at */
      clock: (at) => new Date(at * 1000).toLocaleTimeString(language),
    };
  }, [language]);
}

/** @param {{ turn: TurnOf, earlier: TurnOf[], more: boolean, at: number, onMore: () => void }} props */
export function Turns({ turn, earlier, more, at, onMore }) {
  const say = useWords();
  if (!turn.id) return <p className="run-nothing">{say("timeline.nothing")}</p>;
  return (
    <div className="run-turns">
      <Turn key={turn.id} turn={turn} at={at} />
      {earlier.map((each) => (
        <Turn key={each.id} turn={each} at={0} />
      ))}
      {more && (
        <button type="button" className="button" onClick={() => onMore()} data-testid="timeline-more">
          {say("timeline.more")}
        </button>
      )}
    </div>
  );
}

/** @param {{ turn: TurnOf, at: number }} props */
function Turn({ turn, at }) {
  const say = useWords();
  const duration = useDuration();
  const numbers = useNumbers();
  const lasts = !turn.end || turn.rows.some((row) => !row.end);
  const now = useServerNow(at, lasts && at > 0);
  const end = turn.end || Math.max(now, turn.start);
  const facts = [duration(end - turn.start)];
  if (turn.tokens) facts.push(tokensOf(say, turn.tokens, turn.estimated));
  if (turn.cost > 0) facts.push(numbers.money(turn.cost));
  const waits = turn.rows.some((row) => !row.end && ["person", "outside"].includes(row.kind));
  const ended = turn.status === "failed" ? "failed" : "";
  return (
    <section className="run-turn" data-testid="timeline-turn" data-status={turn.status}>
      <h3>
        <span className="dot" data-tone={turn.end ? ended : waits ? "waiting" : "running"} />
        <span className="prompt" dir="auto" title={turn.prompt || undefined}>
          {turn.prompt || numbers.clock(turn.start)}
        </span>
      </h3>
      <p className="run-facts">
        {[...(turn.prompt ? [numbers.clock(turn.start)] : []), ...facts].join(" · ")}
      </p>
      {turn.hidden > 0 && <p className="run-nothing">{say("timeline.hidden", { count: turn.hidden })}</p>}
      <ol>
        {turn.rows.map((row) => (
          <Row
            key={row.id}
            row={row}
            start={turn.start}
            length={Math.max(end - turn.start, 0.001)}
            now={now}
            numbers={numbers}
          />
        ))}
      </ol>
    </section>
  );
}

/** @param {{ row: Span, start: number, length: number, now: number, numbers: Numbers }} props */
function Row({ row, start, length, now, numbers }) {
  const say = useWords();
  const duration = useDuration();
  const end = row.end || Math.max(now, row.start);
  const Icon = ICONS[row.kind] ?? Wrench;
  const sentence = useSentence(row, duration(end - row.start), row.until ? Math.ceil(row.until - now) : 0);
  const status = useStatus(row.status);
  /** @param {number} seconds */
  const percent = (seconds) => `${Math.min(100, Math.max(0, (seconds / length) * 100)).toFixed(2)}%`;
  const facts = row.start - start < 0.05 ? [] : [`+${duration(row.start - start)}`];
  if (row.attempt > 1) facts.push(say("timeline.attempt", { number: row.attempt }));
  if (row.process && row.kind !== "recovery")
    facts.push(say("timeline.process", { name: processName(row.process) }));
  if (row.tokens_in + row.tokens_out)
    facts.push(tokensOf(say, row.tokens_in + row.tokens_out, row.estimated));
  if (row.cost > 0) facts.push(numbers.money(row.cost));
  return (
    <li
      className="run-row"
      tabIndex={0}
      data-kind={row.kind}
      data-status={row.status}
      data-deep={row.deep}
      data-testid="timeline-row"
    >
      <div className="run-line">
        <Icon size={14} aria-hidden="true" />
        <span className="name" dir="auto">
          {sentence}
        </span>
        {row.kind === "model" || row.kind === "tool" ? (
          <span className="seconds">{duration(end - row.start)}</span>
        ) : null}
      </div>
      <div className="run-track" aria-hidden="true">
        <i style={{ insetInlineStart: percent(row.start - start), width: percent(end - row.start) }} />
      </div>
      {facts.length > 0 && <div className="run-facts">{facts.join(" · ")}</div>}
      <Details row={row} status={status} numbers={numbers} />
    </li>
  );
}

/**
 * Details of a row: shown while it is hovered or focused, always read by screen readers.
 *
 * @param {{ row: Span, status: string, numbers: Numbers }} props
 */
function Details({ row, status, numbers }) {
  const say = useWords();
  const tell = useTell();
  const lines = [
    ["recovery", "agent"].includes(row.kind)
      ? numbers.clock(row.start)
      : `${numbers.clock(row.start)} · ${status}`,
  ];
  if (row.before) lines.push(say("timeline.process", { name: row.before }));
  if (row.process) lines.push(say("timeline.process", { name: row.process }));
  if (row.tokens_in + row.tokens_out)
    lines.push(say("timeline.tokens_each", { sent: row.tokens_in, written: row.tokens_out }));
  return (
    <div className="run-details">
      {lines.map((line) => (
        <p key={line}>{line}</p>
      ))}
      {row.error && (
        <p className="words" dir="auto">
          {tell(row.error, row.error_info)}
        </p>
      )}
    </div>
  );
}
