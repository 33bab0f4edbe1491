// Failed threads: filters, a retry of all that match, and the table.

import { useTell, useWords } from "../../i18n/words.js";
import { Moment } from "../../ui/date_time.jsx";
import { Section, Table, ThreadLink } from "./table.jsx";

/**
 * @typedef {{
 *   id: string,
 *   title: string,
 *   link: string,
 *   user: string,
 *   agent: string,
 *   seq: number,
 *   kind: string,
 *   error: string,
 *   info: { code: string, params: Record<string, any> } | null,
 *   at: number,
 * }} Failed
 */
/** @typedef {{ agent: string, error_kind: string, threads: number }} Count */
/**
 * @typedef {{
 *   at: number,
 *   counts: Count[],
 *   chosen: { agent: string | null, error_kind: string | null },
 *   threads: Failed[],
 * }} Report
 */

const ALL = "*";

/** @param {Count[]} counts */
const total = (counts) => counts.reduce((sum, count) => sum + count.threads, 0);

/**
 * Select whose options have numbers of threads.
 *
 * @param {{
 *   label: string,
 *   name: string,
 *   chosen: string | null,
 *   options: Map<string, number>,
 *   all: number,
 *   onChoose: (value: string) => void,
 * }} props
 */
function Filter({ label, name, chosen, options, all, onChoose }) {
  const say = useWords();
  if (chosen !== null && !options.has(chosen)) options.set(chosen, 0);
  return (
    <label className="field short">
      {label}
      <select value={chosen ?? ALL} data-testid={name} onChange={(event) => onChoose(event.target.value)}>
        <option value={ALL}>{say("admin.with_count", { name: say("admin.all"), count: all })}</option>
        {[...options].map(([value, count]) => (
          <option key={value} value={value}>
            {say("admin.with_count", { name: value || say("admin.other_error"), count })}
          </option>
        ))}
      </select>
    </label>
  );
}

/**
 * @param {Count[]} counts
 * @param {"agent" | "error_kind"} name
 */
function grouped(counts, name) {
  /** @type {Map<string, number>} */
  const found = new Map();
  for (const count of counts) found.set(count[name], (found.get(count[name]) ?? 0) + count.threads);
  return found;
}

/** @param {{ thread: Failed, onRetry: (id: string, seq: number) => void }} props */
function Row({ thread, onRetry }) {
  const say = useWords();
  const tell = useTell();
  return (
    <tr data-testid="failed-thread" data-thread-id={thread.id}>
      <th scope="row">
        <ThreadLink link={thread.link}>{thread.title}</ThreadLink>
        <small dir="auto">{[thread.user, thread.agent].filter(Boolean).join(" · ")}</small>
      </th>
      <td>{thread.kind ? <code>{thread.kind}</code> : say("admin.other_error")}</td>
      <td className="prose" dir="auto">
        {tell(thread.error, thread.info)}
      </td>
      <td>
        <Moment at={thread.at} />
      </td>
      <td>
        <button
          type="button"
          className="button small"
          aria-label={`${say("admin.retry")}: ${thread.title}`}
          data-testid="retry"
          onClick={() => onRetry(thread.id, thread.seq)}
        >
          {say("admin.retry")}
        </button>
      </td>
    </tr>
  );
}

/**
 * @param {{
 *   report: Report,
 *   retried: number,
 *   onAgent: (agent: string) => void,
 *   onKind: (kind: string) => void,
 *   onRetry: (id: string, seq: number) => void,
 *   onRetryAll: (at: number) => void,
 *   onMore: () => void,
 * }} props
 */
export function Failures({ report, retried, onAgent, onKind, onRetry, onRetryAll, onMore }) {
  const say = useWords();
  const { chosen, counts, threads } = report;
  const ofAgent = counts.filter((count) => chosen.agent === null || count.agent === chosen.agent);
  const ofKind = counts.filter(
    (count) => chosen.error_kind === null || count.error_kind === chosen.error_kind,
  );
  const matching = total(ofAgent.filter((count) => ofKind.includes(count)));
  const heads = [
    say("admin.thread"),
    say("admin.error_kind"),
    say("admin.error"),
    say("admin.failed_at"),
    say("admin.actions"),
  ];
  return (
    <Section
      title={say("admin.failures")}
      controls={
        matching > 0 && (
          <button
            type="button"
            className="button"
            data-testid="retry-all"
            onClick={() => onRetryAll(report.at)}
          >
            {say("admin.retry_all", { count: matching })}
          </button>
        )
      }
    >
      <div className="field-row">
        <Filter
          label={say("admin.agent")}
          name="filter-agent"
          chosen={chosen.agent}
          options={grouped(ofKind, "agent")}
          all={total(ofKind)}
          onChoose={onAgent}
        />
        <Filter
          label={say("admin.error_kind")}
          name="filter-kind"
          chosen={chosen.error_kind}
          options={grouped(ofAgent, "error_kind")}
          all={total(ofAgent)}
          onChoose={onKind}
        />
      </div>
      <p className="field-note" role="status" data-testid="retried">
        {retried >= 0 && say("admin.retried", { count: retried })}
      </p>
      {threads.length ? (
        <Table label={say("admin.failures")} name="failed-threads" heads={heads}>
          {threads.map((thread) => (
            <Row key={thread.id} thread={thread} onRetry={onRetry} />
          ))}
        </Table>
      ) : (
        <p className="field-note" data-testid="no-failures">
          {say("admin.no_failures")}
        </p>
      )}
      {threads.length < matching && (
        <button type="button" className="button more" onClick={onMore}>
          {say("admin.more")}
        </button>
      )}
    </Section>
  );
}
