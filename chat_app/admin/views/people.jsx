// The people of the app: how they sign in, invitations, and a table with what an administrator may do.

import { useWords } from "../../i18n/words.js";
import { Ago, Moment } from "../../ui/date_time.jsx";
import { Invite, NewLink } from "./invite.jsx";
import { ConfirmButton, Section, Table } from "./table.jsx";

/**
 * @typedef {{
 *   id: string,
 *   name: string,
 *   role: string,
 *   seen: number | null,
 *   created: number,
 *   mine: boolean,
 *   sessions?: number,
 *   state?: string,
 *   held?: number,
 *   is_last?: boolean,
 *   from_provider?: boolean,
 *   has_fixed_role?: boolean,
 * }} Person
 */
/** @typedef {{ id: string, browser: string, created: number, seen: number | null, mine: boolean }} Session */
/**
 * @typedef {{
 *   kind: string,
 *   header?: string,
 *   invites?: boolean,
 *   provider?: string,
 *   claim?: string,
 *   people: Person[],
 *   more: boolean,
 * }} Report
 */
/** @typedef {{ name?: string, paused?: number, resumed?: number }} Done */
/**
 * @typedef {{
 *   onRole: (id: string, role: string) => void,
 *   onDisable: (id: string) => void,
 *   onEnable: (id: string) => void,
 *   onSignOut: (id: string) => void,
 *   onRemove: (id: string) => void,
 *   onSessions: (id: string) => void,
 *   onEndSession: (id: string, session: string) => void,
 * }} Actions
 */

function useRoles() {
  const say = useWords();
  /** @type {Record<string, string>} */
  const roles = { admin: say("account.admin"), member: say("account.member") };
  return roles;
}

/** @param {{ person: Person }} props */
function Name({ person }) {
  const say = useWords();
  const notes = [
    person.mine && say("admin.you"),
    person.state === "invited" && say("admin.invited"),
    person.state === "disabled" && say("admin.disabled"),
    person.held && say("admin.held", { count: person.held }),
    person.is_last && say("admin.only_admin"),
  ].filter(Boolean);
  return (
    <th scope="row" dir="auto" className="person">
      {person.name}
      {notes.length > 0 && <small data-testid="person-notes">{notes.join(" · ")}</small>}
    </th>
  );
}

/**
 * Button of a row, whose label for screen readers has the person's name.
 *
 * @param {{ label: string, person: Person, name: string, onClick: () => void }} props
 */
function Act({ label, person, name, onClick }) {
  return (
    <button
      type="button"
      className="button small"
      aria-label={`${label}: ${person.name}`}
      data-testid={name}
      onClick={onClick}
    >
      {label}
    </button>
  );
}

/** @param {{ person: Person, invites: boolean } & Actions} props */
function Buttons({ person, invites, onRole, onDisable, onEnable, onSignOut, onRemove }) {
  const say = useWords();
  const { id, name } = person;
  const isFree = !person.is_last && !person.has_fixed_role;
  const isDisabled = person.state === "disabled";
  return (
    <div className="row-actions">
      {isFree && person.role === "member" && !isDisabled && (
        <ConfirmButton
          name="make-admin"
          label={say("admin.make_admin")}
          about={name}
          onConfirm={() => onRole(id, "admin")}
        />
      )}
      {isFree && person.role === "admin" && (
        <ConfirmButton
          name="make-member"
          label={say("admin.make_member")}
          about={name}
          onConfirm={() => onRole(id, "member")}
        />
      )}
      {invites && !person.from_provider && !isDisabled && <NewLink id={id} name={name} />}
      {(person.sessions ?? 0) > 0 && (
        <Act
          label={say("account.everywhere")}
          person={person}
          name="sign-out-everywhere"
          onClick={() => onSignOut(id)}
        />
      )}
      {isDisabled && (
        <Act label={say("admin.enable")} person={person} name="enable" onClick={() => onEnable(id)} />
      )}
      {!person.mine && !person.is_last && !isDisabled && (
        <ConfirmButton
          name="disable"
          label={say("admin.disable")}
          about={name}
          note={say("admin.disabling", { name })}
          onConfirm={() => onDisable(id)}
        />
      )}
      {!person.mine && !person.is_last && (
        <ConfirmButton
          name="remove"
          label={say("admin.remove")}
          about={name}
          note={say("admin.removal", { name })}
          onConfirm={() => onRemove(id)}
        />
      )}
    </div>
  );
}

/** @param {{ person: Person, sessions: Session[], onEndSession: Actions["onEndSession"] }} props */
function Sessions({ person, sessions, onEndSession }) {
  const say = useWords();
  if (!sessions.length) return <p className="field-note">{say("admin.no_sessions")}</p>;
  return (
    <ul aria-label={say("admin.sessions_of", { name: person.name })} data-testid="sessions">
      {sessions.map((session) => {
        const browser = session.browser || say("admin.unknown_browser");
        return (
          <li key={session.id} data-testid="session">
            <span>
              {[browser, session.mine && say("admin.this_browser")].filter(Boolean).join(" · ")}
              <small>
                {say("admin.signed_in_at")}: <Moment at={session.created} />
                {session.seen !== null && (
                  <>
                    {` · ${say("admin.last_seen")}: `}
                    <Ago at={session.seen} />
                  </>
                )}
              </small>
            </span>
            <button
              type="button"
              className="button small"
              aria-label={`${say("account.sign_out")}: ${person.name}, ${browser}`}
              data-testid="end-session"
              onClick={() => onEndSession(person.id, session.id)}
            >
              {say("account.sign_out")}
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** @param {{ person: Person, invites: boolean, opened: string, sessions: Session[] } & Actions} props */
function Row({ person, invites, opened, sessions, ...actions }) {
  const say = useWords();
  const roles = useRoles();
  const isOpen = opened === person.id;
  return (
    <>
      <tr data-testid="person" data-person-id={person.id} data-mine={person.mine || undefined}>
        <Name person={person} />
        <td>{roles[person.role]}</td>
        <td>{person.seen === null ? "–" : <Ago at={person.seen} />}</td>
        <td className="number">{person.sessions}</td>
        <td>
          <Moment at={person.created} />
        </td>
        <td>
          <div className="row-actions">
            <button
              type="button"
              className="button small"
              aria-expanded={isOpen}
              aria-label={say("admin.manage_person", { name: person.name })}
              data-testid="manage"
              onClick={() => actions.onSessions(person.id)}
            >
              {say("admin.manage")}
            </button>
          </div>
        </td>
      </tr>
      {isOpen && (
        <tr data-testid="managed">
          <td colSpan={6}>
            <div className="person-details">
              <Buttons person={person} invites={invites} {...actions} />
              <Sessions person={person} sessions={sessions} onEndSession={actions.onEndSession} />
            </div>
          </td>
        </tr>
      )}
    </>
  );
}

/** People whom the app knows only because they have used it. @param {{ people: Person[] }} props */
function Seen({ people }) {
  const say = useWords();
  const roles = useRoles();
  const heads = [say("admin.person"), say("account.role"), say("admin.last_seen"), say("admin.first_seen")];
  if (!people.length) return <p className="field-note">{say("admin.nobody_seen")}</p>;
  return (
    <Table label={say("admin.people")} name="people" heads={heads}>
      {people.map((person) => (
        <tr key={person.id} data-testid="person" data-mine={person.mine || undefined}>
          <Name person={person} />
          <td>{roles[person.role] ?? "–"}</td>
          <td>{person.seen === null ? "–" : <Ago at={person.seen} />}</td>
          <td>
            <Moment at={person.created} />
          </td>
        </tr>
      ))}
    </Table>
  );
}

/** How people sign in, and where their roles come from. @param {{ report: Report }} props */
function Source({ report }) {
  const say = useWords();
  /** @type {Record<string, () => string>} */
  const kinds = {
    open: () => say("admin.people_open"),
    header: () => say("admin.people_header", { header: report.header ?? "" }),
    extension: () => say("admin.people_extension"),
  };
  const provider = report.provider ?? "";
  const notes = [
    kinds[report.kind]?.(),
    provider && say("admin.people_provider", { provider }),
    provider && report.claim && say("admin.people_claim", { claim: report.claim }),
  ].filter(Boolean);
  return notes.length > 0 && <p className="field-note">{notes.join(" ")}</p>;
}

/** What became of the schedules of a person by the last action. @param {{ done: Done }} props */
function Outcome({ done }) {
  const say = useWords();
  const { name = "", paused = 0, resumed = 0 } = done;
  if (!paused && !resumed) return null;
  return (
    <p className="field-note" role="status" data-testid="done">
      {paused
        ? say("admin.were_paused", { count: paused, name })
        : say("admin.were_resumed", { count: resumed, name })}
    </p>
  );
}

/**
 * @param {{
 *   report: Report,
 *   opened: string,
 *   sessions: Session[],
 *   problem: string,
 *   done: Done,
 *   onMore: () => void,
 *   onChanged: () => void,
 * } & Actions} props
 */
export function People({ report, opened, sessions, problem, done, onMore, onChanged, ...actions }) {
  const say = useWords();
  const heads = [
    say("admin.person"),
    say("account.role"),
    say("admin.last_seen"),
    say("admin.sessions"),
    say("admin.created"),
    say("admin.actions"),
  ];
  return (
    <Section title={say("admin.people")}>
      <Source report={report} />
      {problem && (
        <p className="callout" role="alert" data-testid="problem">
          {say("admin.last_admin")}
        </p>
      )}
      <Outcome done={done} />
      {report.kind === "accounts" && (
        <Table label={say("admin.people")} name="people" heads={heads} numbers={[3]}>
          {report.people.map((person) => (
            <Row
              key={person.id}
              person={person}
              invites={report.invites ?? false}
              opened={opened}
              sessions={sessions}
              {...actions}
            />
          ))}
        </Table>
      )}
      {report.kind !== "accounts" && report.kind !== "open" && <Seen people={report.people} />}
      {report.more && (
        <button type="button" className="button more" onClick={onMore}>
          {say("admin.more")}
        </button>
      )}
      {report.invites && <Invite onInvited={onChanged} />}
    </Section>
  );
}
