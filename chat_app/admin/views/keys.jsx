// The API keys of all people.

import { useWords } from "../../i18n/words.js";
import { Ago, Moment } from "../../ui/date_time.jsx";
import { useNow } from "../../ui/durations.jsx";
import { ConfirmButton, Section, Table } from "./table.jsx";

/**
 * @typedef {{
 *   id: string,
 *   name: string,
 *   start: string,
 *   scope: string,
 *   owner: string,
 *   state: string,
 *   created: number,
 *   used: number | null,
 *   expires: number | null,
 * }} Key
 */

/** @param {{ at: number | null }} props */
function Expiry({ at }) {
  const say = useWords();
  const now = useNow(30_000) / 1000;
  if (at === null) return say("keys.never");
  return at <= now ? say("admin.expired") : <Moment at={at} />;
}

/** @param {{ apiKey: Key, onRevoke: (id: string) => void }} props */
function Row({ apiKey, onRevoke }) {
  const say = useWords();
  /** @type {Record<string, string>} */
  const scopes = { read: say("keys.read"), write: say("keys.write"), admin: say("keys.admin") };
  /** @type {Record<string, string>} */
  const states = { removed: say("admin.owner_removed"), disabled: say("admin.owner_disabled") };
  return (
    <tr data-testid="any-key" data-key-id={apiKey.id}>
      <th scope="row" dir="auto" className="person">
        {apiKey.name}
        <small>
          <code>{apiKey.start}…</code>
        </small>
      </th>
      <td dir="auto" className="person">
        {apiKey.owner || say("admin.nobody")}
        {apiKey.state && <small className="danger">{states[apiKey.state]}</small>}
      </td>
      <td>{scopes[apiKey.scope] ?? apiKey.scope}</td>
      <td>
        <Moment at={apiKey.created} />
      </td>
      <td>{apiKey.used === null ? say("keys.never") : <Ago at={apiKey.used} />}</td>
      <td>
        <Expiry at={apiKey.expires} />
      </td>
      <td>
        <div className="row-actions">
          <ConfirmButton
            name="revoke"
            label={say("keys.revoke")}
            about={apiKey.name}
            onConfirm={() => onRevoke(apiKey.id)}
          />
        </div>
      </td>
    </tr>
  );
}

/** @param {{ keys: Key[], more: boolean, onRevoke: (id: string) => void, onMore: () => void }} props */
export function AllKeys({ keys, more, onRevoke, onMore }) {
  const say = useWords();
  const heads = [
    say("keys.name"),
    say("admin.person"),
    say("keys.scope"),
    say("admin.created"),
    say("admin.last_used"),
    say("keys.expires"),
    say("admin.actions"),
  ];
  return (
    <Section title={say("admin.keys_of_all")}>
      {keys.length ? (
        <Table label={say("admin.keys_of_all")} name="all-keys" heads={heads}>
          {keys.map((key) => (
            <Row key={key.id} apiKey={key} onRevoke={onRevoke} />
          ))}
        </Table>
      ) : (
        <p className="field-note">{say("admin.no_keys")}</p>
      )}
      {more && (
        <button type="button" className="button more" onClick={onMore}>
          {say("admin.more")}
        </button>
      )}
    </Section>
  );
}
