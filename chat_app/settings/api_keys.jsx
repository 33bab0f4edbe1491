// The keys of a person for programs. A new key is in this component only, until the page is left.

import { useEffect, useState } from "react";
import { ask } from "../files/requests.js";
import { useLanguage, useWords } from "../i18n/words.js";
import { CopyButton } from "../ui/copy_button.jsx";

/**
 * Key without its secret; moments are seconds since the epoch.
 *
 * @typedef {{
 *   id: string,
 *   name: string,
 *   start: string,
 *   scope: string,
 *   created_at: number,
 *   used_at: number | null,
 *   expires_at: number | null,
 *   secret?: string,
 * }} Key
 */

const DAYS = [30, 90, 365, 0]; // lifetimes to choose from; 0: no end

/** @param {{ keys: Key[], revoke: (key: Key) => void }} props */
function List({ keys, revoke }) {
  const say = useWords();
  const language = useLanguage();
  /** @param {number} at */
  const day = (at) => new Date(at * 1000).toLocaleDateString(language, { dateStyle: "medium" });
  /** @type {Record<string, string>} */
  const scopes = { read: say("keys.read"), write: say("keys.write"), admin: say("keys.admin") };
  return (
    <ul className="api-keys" data-testid="key-list">
      {keys.map((key) => (
        <li key={key.id}>
          <div>
            <p dir="auto">
              {key.name} <code>{key.start}…</code>
            </p>
            <p className="field-note">
              {[
                scopes[key.scope] ?? key.scope,
                key.used_at ? say("keys.used_at", { day: day(key.used_at) }) : say("keys.unused"),
                key.expires_at ? say("keys.expires_at", { day: day(key.expires_at) }) : say("keys.endless"),
              ].join(" · ")}
            </p>
          </div>
          <button
            type="button"
            className="button danger"
            aria-label={say("keys.revoke_name", { name: key.name })}
            data-testid="revoke-key"
            onClick={() => revoke(key)}
          >
            {say("keys.revoke")}
          </button>
        </li>
      ))}
    </ul>
  );
}

/** @param {{ scopes: string[], create: (given: object) => Promise<boolean> }} props */
function Form({ scopes, create }) {
  const say = useWords();
  const [name, setName] = useState("");
  const [scope, setScope] = useState("write");
  const [days, setDays] = useState(90);
  /** @type {Record<string, string>} */
  const labels = { read: say("keys.read"), write: say("keys.write"), admin: say("keys.admin") };
  /** @param {React.FormEvent} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (await create({ name, scope, days: days || null })) setName("");
  };
  return (
    <form className="key-form" onSubmit={onSubmit}>
      <label className="field">
        {say("keys.name")}
        <input
          required
          maxLength={100}
          autoComplete="off"
          value={name}
          placeholder={say("keys.example")}
          onChange={(event) => setName(event.target.value)}
          data-testid="key-name"
        />
      </label>
      <label className="field">
        {say("keys.scope")}
        <select value={scope} onChange={(event) => setScope(event.target.value)} data-testid="key-scope">
          {scopes.map((each) => (
            <option key={each} value={each}>
              {labels[each] ?? each}
            </option>
          ))}
        </select>
      </label>
      <label className="field">
        {say("keys.expires")}
        <select value={days} onChange={(event) => setDays(Number(event.target.value))}>
          {DAYS.map((each) => (
            <option key={each} value={each}>
              {each ? say("keys.in_days", { days: each }) : say("keys.never")}
            </option>
          ))}
        </select>
      </label>
      <button type="submit" className="button" data-testid="create-key">
        {say("keys.create")}
      </button>
    </form>
  );
}

export function ApiKeys() {
  const say = useWords();
  const [keys, setKeys] = useState(/** @type {Key[]} */ ([]));
  const [scopes, setScopes] = useState(["read", "write"]);
  const [made, setMade] = useState(/** @type {Key | null} */ (null));
  const [error, setError] = useState("");
  const failed = say("keys.failed");

  /** @param {{ ok: boolean, answer?: any }} read */
  const show = ({ ok, answer }) => {
    if (!ok) return;
    setKeys(answer.keys);
    setScopes(answer.scopes);
  };
  const load = () => ask("GET", "/keys").then(show);
  useEffect(() => {
    ask("GET", "/keys").then(show);
  }, []);

  /** @param {object} given */
  const create = async (given) => {
    const { ok, answer } = await ask("POST", "/keys", given);
    setError(ok ? "" : (answer?.error?.message ?? failed));
    if (!ok) return false;
    setMade(answer);
    load();
    return true;
  };
  /** @param {Key} key */
  const revoke = async (key) => {
    const { ok, answer } = await ask("DELETE", `/keys/${encodeURIComponent(key.id)}`);
    setError(ok ? "" : (answer?.error?.message ?? failed));
    if (made?.id === key.id) setMade(null);
    load();
  };
  return (
    <>
      {keys.length > 0 && <List keys={keys} revoke={revoke} />}
      {made?.secret && (
        <div className="new-key" role="status" data-testid="new-key">
          <p>{say("keys.once")}</p>
          <code>{made.secret}</code>
          <CopyButton text={made.secret} label={say("keys.copy")} />
        </div>
      )}
      <Form scopes={scopes} create={create} />
      {error && (
        <p className="field-error" role="alert" data-testid="key-error">
          {error}
        </p>
      )}
    </>
  );
}
