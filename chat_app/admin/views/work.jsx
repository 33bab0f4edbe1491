// The workers, the queue, limits of models, and the steps that begin next.

import { useTell, useWords } from "../../i18n/words.js";
import { Countdown, useDuration } from "../../ui/durations.jsx";
import { Moment } from "../../ui/date_time.jsx";
import { Figure, Section, Table, ThreadLink } from "./table.jsx";

const SOON = 120; // seconds, below which a countdown is shown instead of a time

/** @typedef {{ kind: string, running: number, due: number, oldest_wait: number, waiting: number }} Queue */
/**
 * @typedef {{
 *   name: string,
 *   host: string,
 *   started_at: number,
 *   seen: number,
 *   lives: boolean,
 *   steps: number,
 *   max_steps: number,
 *   tools: number,
 *   max_tools: number | null,
 *   agents: string[],
 *   engine: string,
 * }} Worker
 */
/**
 * @typedef {{
 *   model: string,
 *   requests_per_minute: number | null,
 *   tokens_per_minute: number | null,
 *   concurrency: number | null,
 *   requests: number,
 *   tokens: number,
 *   running: number,
 *   resets: number,
 *   blocked: number | null,
 * }} Limit
 */
/**
 * @typedef {{
 *   thread: string,
 *   title: string,
 *   link: string,
 *   user: string,
 *   agent: string,
 *   left: number,
 *   at: number | null,
 *   kind: string,
 *   error: string,
 *   info: { code: string, params: Record<string, any> } | null,
 * }} Waiting
 */
/**
 * @typedef {{
 *   queues: Queue[],
 *   workers: Worker[],
 *   limits: Limit[],
 *   waiting: Waiting[],
 *   approvals: number,
 *   answers: number,
 *   threads: number,
 * }} Report
 */

/** @param {{ report: Report }} props */
function Figures({ report }) {
  const say = useWords();
  const duration = useDuration();
  /** @param {"running" | "due" | "waiting"} name */
  const sum = (name) => report.queues.reduce((total, queue) => total + queue[name], 0);
  const oldest = Math.max(0, ...report.queues.map((queue) => queue.oldest_wait));
  const people = report.approvals + report.answers;
  return (
    <dl className="figures admin-figures">
      <Figure name="workers" label={say("admin.workers")}>
        {report.workers.filter((worker) => worker.lives).length}
      </Figure>
      <Figure name="running" label={say("admin.running")}>
        {sum("running")}
      </Figure>
      <Figure name="due" label={say("admin.due")}>
        {sum("due")}
      </Figure>
      <Figure name="oldest" label={say("admin.oldest_wait")}>
        {oldest ? duration(oldest) : "–"}
      </Figure>
      <Figure name="later" label={say("admin.later")}>
        {sum("waiting")}
      </Figure>
      <Figure name="people" label={say("admin.waiting_for_people")}>
        {people}
      </Figure>
    </dl>
  );
}

/** @param {{ queues: Queue[] }} props */
function Queues({ queues }) {
  const say = useWords();
  const duration = useDuration();
  /** @type {Record<string, string>} */
  const names = {
    step: say("admin.kind_step"),
    tool: say("admin.kind_tool"),
    timeout: say("admin.kind_timeout"),
    schedule: say("admin.kind_schedule"),
    outbox: say("admin.kind_outbox"),
  };
  const heads = [
    say("admin.kind"),
    say("admin.running"),
    say("admin.due"),
    say("admin.oldest_wait"),
    say("admin.later"),
  ];
  return (
    <Table label={say("admin.queue")} name="queues" heads={heads} numbers={[1, 2, 3, 4]}>
      {queues.map((queue) => (
        <tr key={queue.kind}>
          <th scope="row">{names[queue.kind] ?? queue.kind}</th>
          <td className="number">{queue.running}</td>
          <td className="number">{queue.due}</td>
          <td className="number">{queue.due ? duration(queue.oldest_wait) : "–"}</td>
          <td className="number">{queue.waiting}</td>
        </tr>
      ))}
    </Table>
  );
}

/** @param {{ workers: Worker[] }} props */
function Workers({ workers }) {
  const say = useWords();
  const duration = useDuration();
  const heads = [
    say("admin.worker"),
    say("admin.heartbeat"),
    say("admin.model_steps"),
    say("admin.tools"),
    say("admin.engine"),
    say("admin.agents"),
    say("admin.started"),
  ];
  return (
    <Table label={say("admin.workers")} name="workers" heads={heads} numbers={[2, 3]}>
      {workers.map((worker) => (
        <tr key={worker.name} data-testid="worker">
          <th scope="row">
            {worker.host}
            <small>
              <code>{worker.name}</code>
            </small>
          </th>
          <td>
            {worker.lives
              ? say("admin.seen", { ago: duration(worker.seen) })
              : say("admin.dead", { ago: duration(worker.seen) })}
          </td>
          <td className="number">{say("admin.used_of", { used: worker.steps, most: worker.max_steps })}</td>
          <td className="number">
            {worker.max_tools === null
              ? worker.tools
              : say("admin.used_of", { used: worker.tools, most: worker.max_tools })}
          </td>
          <td>{worker.engine || say("admin.built_in")}</td>
          <td className="prose">{worker.agents.join(", ")}</td>
          <td>
            <Moment at={worker.started_at} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** @param {{ limits: Limit[] }} props */
function Limits({ limits }) {
  const say = useWords();
  /**
   * @param {number} used
   * @param {number | null} most
   */
  const part = (used, most) =>
    most === null ? say("admin.used", { used }) : say("admin.used_of", { used, most });
  const heads = [
    say("admin.model"),
    say("admin.requests_minute"),
    say("admin.tokens_minute"),
    say("admin.at_once"),
    say("admin.resets"),
  ];
  return (
    <Table label={say("admin.limits")} name="limits" heads={heads} numbers={[1, 2, 3]}>
      {limits.map((limit) => (
        <tr key={limit.model}>
          <th scope="row" dir="auto">
            {limit.model}
          </th>
          <td className="number">{part(limit.requests, limit.requests_per_minute)}</td>
          <td className="number">{part(limit.tokens, limit.tokens_per_minute)}</td>
          <td className="number">{part(limit.running, limit.concurrency)}</td>
          <td>
            <Countdown seconds={limit.blocked ?? limit.resets} />
            {limit.blocked !== null && <small>{say("admin.provider_waits")}</small>}
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** @param {{ step: Waiting }} props */
function GoesOn({ step }) {
  const say = useWords();
  if (step.at === null) return say("admin.when_raised");
  return step.left < SOON ? <Countdown seconds={step.left} /> : <Moment at={step.at} />;
}

/** @param {{ waiting: Waiting[] }} props */
function WaitingSteps({ waiting }) {
  const say = useWords();
  const tell = useTell();
  const heads = [
    say("admin.thread"),
    say("admin.person"),
    say("admin.agent"),
    say("admin.goes_on"),
    say("admin.reason"),
  ];
  return (
    <Table label={say("admin.next_steps")} name="waiting" heads={heads}>
      {waiting.map((step) => (
        <tr key={step.thread} data-testid="waiting-step">
          <th scope="row">
            <ThreadLink link={step.link}>{step.title}</ThreadLink>
          </th>
          <td dir="auto">{step.user || "–"}</td>
          <td>{step.agent}</td>
          <td>
            <GoesOn step={step} />
          </td>
          <td className="prose" dir="auto">
            {step.error ? tell(step.error, step.info) : "–"}
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** @param {{ report: Report }} props */
export function Work({ report }) {
  const say = useWords();
  return (
    <>
      <Figures report={report} />
      <Section title={say("admin.workers")}>
        {report.workers.length ? (
          <Workers workers={report.workers} />
        ) : (
          <p className="field-error">{say("admin.no_workers")}</p>
        )}
      </Section>
      <Section title={say("admin.queue")}>
        {report.queues.length ? (
          <Queues queues={report.queues} />
        ) : (
          <p className="field-note">{say("admin.queue_empty")}</p>
        )}
      </Section>
      <Section title={say("admin.next_steps")}>
        {report.waiting.length ? (
          <WaitingSteps waiting={report.waiting} />
        ) : (
          <p className="field-note">{say("admin.no_next_steps")}</p>
        )}
      </Section>
      <Section title={say("admin.limits")}>
        {report.limits.length ? (
          <Limits limits={report.limits} />
        ) : (
          <p className="field-note">{say("admin.no_limits")}</p>
        )}
      </Section>
    </>
  );
}
