// The text of a timeline row: a sentence for its kind, and its status.

import { useWords } from "../i18n/words.js";

/** @import { Say } from "../i18n/words.js" */
/**
 * The server's `SpanView`: a row of the timeline.
 *
 * @typedef {{
 *   id: string,
 *   kind: string,
 *   status: string,
 *   start: number,
 *   end: number,
 *   until: number,
 *   name: string,
 *   attempt: number,
 *   process: string,
 *   before: string,
 *   deep: boolean,
 *   tokens_in: number,
 *   tokens_out: number,
 *   cost: number,
 *   error: string,
 *   error_info: Partial<import("../i18n/phrase.js").Info>,
 *   estimated: boolean,
 * }} Span
 */
/**
 * The server's `TurnView`: a turn, with its rows by start time.
 *
 * @typedef {{
 *   id: string,
 *   prompt: string,
 *   status: string,
 *   start: number,
 *   end: number,
 *   tokens: number,
 *   cost: number,
 *   hidden: number,
 *   rows: Span[],
 *   estimated: boolean,
 * }} Turn
 */

/**
 * Return the short name of a worker: its process id. The rest of its name identifies the machine.
 *
 * @param {string} worker
 */
export const processName = (worker) => worker.split("-")[0];

/**
 * Return a sentence for a row; `time` is how long it has taken so far, `left` the seconds until a wait ends.
 *
 * @param {Span} row
 * @param {string} time
 * @param {number} left
 */
export function useSentence(row, time, left) {
  const say = useWords();
  const over = row.end > 0;
  switch (row.kind) {
    case "model":
      return row.name || say("timeline.model");
    case "tool":
      return row.name;
    case "outside":
      return over
        ? say("timeline.outside", { name: row.name, time })
        : say("timeline.outside_now", { name: row.name, time });
    case "person":
      return over
        ? say("timeline.person", { name: row.name, time })
        : say("timeline.person_now", { name: row.name, time });
    case "retry":
      if (over) return say("timeline.retry", { time });
      return left > 0 ? say("timeline.retry_in", { seconds: left }) : say("timeline.retry_now", { time });
    case "pause":
      return over ? say("timeline.pause", { time }) : say("timeline.pause_now", { time });
    case "turn":
      if (row.status === "stopped") return say("timeline.turn_held", { time });
      return over ? say("timeline.turn", { time }) : say("timeline.turn_now", { time });
    case "worker":
      return over ? say("timeline.worker", { time }) : say("timeline.worker_now", { time });
    case "agent":
      return say("timeline.agent");
    default:
      return recovery(say, row, time);
  }
}

/**
 * @param {Say} say
 * @param {Span} row
 * @param {string} time
 */
function recovery(say, row, time) {
  const names = { before: processName(row.before), after: processName(row.process) };
  if (row.status === "released") return say("timeline.handed_over", { ...names, time });
  if (row.end === row.start) return say("timeline.recovered", names);
  return say("timeline.recovered_after", { ...names, time });
}

/**
 * Return the words for a number of tokens.
 *
 * @param {Say} say
 * @param {number} count
 * @param {boolean} estimated
 */
export const tokensOf = (say, count, estimated) =>
  estimated ? say("timeline.tokens_about", { count }) : say("timeline.tokens", { count });

/**
 * Return the word for a status.
 *
 * @param {string} status
 */
export function useStatus(status) {
  const say = useWords();
  /** @type {Record<string, string>} */
  const words = {
    running: say("timeline.status_running"),
    waiting: say("timeline.status_waiting"),
    ok: say("timeline.status_ok"),
    retried: say("timeline.status_retried"),
    failed: say("timeline.status_failed"),
    stopped: say("timeline.status_stopped"),
    lost: say("timeline.status_lost"),
    released: say("timeline.status_released"),
    "in doubt": say("timeline.status_doubt"),
    denied: say("timeline.status_denied"),
  };
  return words[status] ?? status;
}
