// The schedules of all people.

import { useTell, useWords } from "../../i18n/words.js";
import { Moment } from "../../ui/date_time.jsx";
import { ConfirmButton, Section, Table, ThreadLink } from "./table.jsx";

/**
 * @typedef {{
 *   id: string,
 *   title: string,
 *   user: string,
 *   agent: string,
 *   status: string,
 *   next_at: number | null,
 *   last_at: number | null,
 *   last_link: string,
 *   last_status: string,
 *   error: string,
 *   info: { code: string, params: Record<string, any> } | null,
 *   runs: number,
 *   missed: number,
 * }} Schedule
 */
/**
 * @typedef {{
 *   onPause: (id: string) => void,
 *   onResume: (id: string) => void,
 *   onDelete: (id: string) => void,
 * }} Actions
 */

/** @param {{ schedule: Schedule }} props */
function LastRun({ schedule }) {
  const say = useWords();
  const tell = useTell();
  /** @type {Record<string, string>} */
  const results = {
    completed: say("admin.run_completed"),
    failed: say("admin.run_failed"),
    stopped: say("admin.run_stopped"),
    streaming: say("admin.running"),
    awaiting_tool_results: say("admin.run_waits"),
  };
  return (
    <>
      {schedule.last_at === null ? "–" : <Moment at={schedule.last_at} />}
      {schedule.last_status && (
        <small>
          <ThreadLink link={schedule.last_link}>
            {results[schedule.last_status] ?? schedule.last_status}
          </ThreadLink>
        </small>
      )}
      {schedule.error && (
        <small className="danger" dir="auto">
          {tell(schedule.error, schedule.info)}
        </small>
      )}
    </>
  );
}

/** @param {{ schedule: Schedule } & Actions} props */
function Row({ schedule, onPause, onResume, onDelete }) {
  const say = useWords();
  const { id, title, status } = schedule;
  /** @type {Record<string, string>} */
  const states = {
    active: say("schedules.active"),
    paused: say("schedules.paused"),
    over: say("schedules.over"),
  };
  return (
    <tr data-testid="any-schedule" data-schedule-id={id}>
      <th scope="row" dir="auto">
        {title}
        <small>{[schedule.user, schedule.agent].filter(Boolean).join(" · ")}</small>
      </th>
      <td>{states[status] ?? status}</td>
      <td>{schedule.next_at === null || status !== "active" ? "–" : <Moment at={schedule.next_at} />}</td>
      <td className="prose">
        <LastRun schedule={schedule} />
      </td>
      <td className="number">
        {schedule.runs}
        {schedule.missed > 0 && <small>{say("schedules.missed", { missed: schedule.missed })}</small>}
      </td>
      <td>
        <div className="row-actions">
          {status !== "over" && (
            <button
              type="button"
              className="button small"
              aria-label={`${say(status === "active" ? "schedules.pause" : "schedules.resume")}: ${title}`}
              data-testid={status === "active" ? "pause" : "resume"}
              onClick={() => (status === "active" ? onPause(id) : onResume(id))}
            >
              {say(status === "active" ? "schedules.pause" : "schedules.resume")}
            </button>
          )}
          <ConfirmButton
            name="delete"
            label={say("schedules.delete")}
            about={title}
            onConfirm={() => onDelete(id)}
          />
        </div>
      </td>
    </tr>
  );
}

/** @param {{ schedules: Schedule[], more: boolean, onMore: () => void } & Actions} props */
export function Schedules({ schedules, more, onMore, ...actions }) {
  const say = useWords();
  const heads = [
    say("admin.schedule"),
    say("admin.status"),
    say("admin.next_run"),
    say("admin.last_run"),
    say("admin.runs"),
    say("admin.actions"),
  ];
  return (
    <Section title={say("admin.schedules_of_all")}>
      {schedules.length ? (
        <Table label={say("admin.schedules_of_all")} name="all-schedules" heads={heads} numbers={[4]}>
          {schedules.map((schedule) => (
            <Row key={schedule.id} schedule={schedule} {...actions} />
          ))}
        </Table>
      ) : (
        <p className="field-note">{say("schedules.none")}</p>
      )}
      {more && (
        <button type="button" className="button more" onClick={onMore}>
          {say("admin.more")}
        </button>
      )}
    </Section>
  );
}
