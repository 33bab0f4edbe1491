// The state of the outbox, and its dead letters.

import { useTell, useWords } from "../../i18n/words.js";
import { Elapsed } from "../../ui/durations.jsx";
import { Moment } from "../../ui/date_time.jsx";
import { ConfirmButton, Figure, Section, Table, ThreadLink } from "./table.jsx";

/** @typedef {{ events: string[], host: string, pending: number, oldest_at: number | null, dead: number }} Status */
/**
 * @typedef {{
 *   id: string,
 *   type: string,
 *   at: number,
 *   thread: string,
 *   link: string,
 *   user: string,
 *   agent: string,
 *   data: Record<string, unknown>,
 *   attempts: number,
 *   dead_at: number,
 *   error: string,
 *   info: { code: string, params: Record<string, any> } | null,
 * }} Letter
 */
/** @typedef {{ onRedeliver: (id: string) => void, onDiscard: (id: string) => void }} Actions */

/** @param {{ status: Status }} props */
function State({ status }) {
  const say = useWords();
  return (
    <>
      <dl className="figures admin-figures">
        <Figure
          name="outbox"
          label={say("admin.outbox")}
          note={status.host && say("admin.to_host", { host: status.host })}
        >
          {say(status.events.length ? "admin.on" : "admin.off")}
        </Figure>
        <Figure name="pending" label={say("admin.pending")}>
          {status.pending}
        </Figure>
        <Figure name="oldest" label={say("admin.oldest_wait")}>
          {status.oldest_at === null ? "–" : <Elapsed since={status.oldest_at} />}
        </Figure>
        <Figure name="dead" label={say("admin.dead_letters")}>
          {status.dead}
        </Figure>
      </dl>
      {status.events.length > 0 ? (
        <p className="field-note">{say("admin.events", { events: status.events.join(", ") })}</p>
      ) : (
        <p className="field-note">{say("admin.outbox_off")}</p>
      )}
    </>
  );
}

/** @param {{ letter: Letter } & Actions} props */
function Row({ letter, onRedeliver, onDiscard }) {
  const say = useWords();
  const tell = useTell();
  return (
    <tr data-testid="dead-letter" data-event-id={letter.id}>
      <th scope="row">
        <code>{letter.type}</code>
        <details>
          <summary>{say("admin.content")}</summary>
          <pre dir="ltr">{JSON.stringify(letter.data, null, 2)}</pre>
        </details>
      </th>
      <td>
        <ThreadLink link={letter.link}>{letter.thread}</ThreadLink>
        <small>{[letter.user, letter.agent].filter(Boolean).join(" · ")}</small>
      </td>
      <td className="prose" dir="auto">
        {tell(letter.error, letter.info)}
      </td>
      <td className="number">{letter.attempts}</td>
      <td>
        <Moment at={letter.dead_at} />
      </td>
      <td>
        <div className="row-actions">
          <button
            type="button"
            className="button small"
            aria-label={`${say("admin.redeliver")}: ${letter.type}`}
            data-testid="redeliver"
            onClick={() => onRedeliver(letter.id)}
          >
            {say("admin.redeliver")}
          </button>
          <ConfirmButton
            name="discard"
            label={say("admin.discard")}
            about={letter.type}
            onConfirm={() => onDiscard(letter.id)}
          />
        </div>
      </td>
    </tr>
  );
}

/** @param {{ status: Status, letters: Letter[], onRedeliverAll: () => void, onMore: () => void } & Actions} props */
export function Webhooks({ status, letters, onRedeliver, onRedeliverAll, onDiscard, onMore }) {
  const say = useWords();
  const heads = [
    say("admin.event"),
    say("admin.thread"),
    say("admin.last_error"),
    say("admin.attempts"),
    say("admin.given_up"),
    say("admin.actions"),
  ];
  return (
    <>
      <State status={status} />
      <Section
        title={say("admin.dead_letters")}
        controls={
          letters.length > 0 && (
            <button type="button" className="button" data-testid="redeliver-all" onClick={onRedeliverAll}>
              {say("admin.redeliver_all")}
            </button>
          )
        }
      >
        {letters.length ? (
          <Table label={say("admin.dead_letters")} name="dead-letters" heads={heads} numbers={[3]}>
            {letters.map((letter) => (
              <Row key={letter.id} letter={letter} onRedeliver={onRedeliver} onDiscard={onDiscard} />
            ))}
          </Table>
        ) : (
          <p className="field-note" data-testid="no-dead-letters">
            {say("admin.no_dead_letters")}
          </p>
        )}
        {letters.length < status.dead && (
          <button type="button" className="button more" onClick={onMore}>
            {say("admin.more")}
          </button>
        )}
        <p className="field-note">{say("admin.dead_letters_kept")}</p>
      </Section>
    </>
  );
}
