// Links with which people choose a password. A link is in these components only, until the page is left.

import { useState } from "react";
import { ask } from "../../files/requests.js";
import { useWords } from "../../i18n/words.js";
import { CopyButton } from "../../ui/copy_button.jsx";

/** @typedef {{ name: string, link: string }} Made */

/** Make links, and keep the newest one or why there is none. */
function useLinks() {
  const say = useWords();
  const [made, setMade] = useState(/** @type {Made | null} */ (null));
  const [problem, setProblem] = useState("");
  const [isAsking, setIsAsking] = useState(false);
  /** @type {Record<string, string>} */
  const problems = {
    taken: say("admin.name_taken"),
    name: say("admin.name_invalid"),
    gone: say("admin.person_gone"),
  };
  /** @param {object} body */
  const make = async (body) => {
    if (isAsking) return false;
    setIsAsking(true);
    const { ok, answer } = await ask("POST", "/people/links", body);
    setIsAsking(false);
    setMade(ok ? answer : null);
    setProblem(ok ? "" : (problems[answer?.problem] ?? say("keys.failed")));
    return ok;
  };
  return { made, problem, isAsking, make };
}

/** @param {{ made: Made | null, problem: string }} props */
function Outcome({ made, problem }) {
  const say = useWords();
  if (problem)
    return (
      <p className="field-error" role="alert" data-testid="link-problem">
        {problem}
      </p>
    );
  return (
    made && (
      <div className="new-key" role="status" data-testid="new-link">
        <p>{say("admin.send_link", { name: made.name })}</p>
        <code data-testid="link">{made.link}</code>
        <CopyButton text={made.link} label={say("admin.copy_link")} />
      </div>
    )
  );
}

/**
 * Form that adds a person, and shows the link to send them.
 *
 * @param {{ onInvited: () => void }} props
 */
export function Invite({ onInvited }) {
  const say = useWords();
  const { made, problem, isAsking, make } = useLinks();
  const [name, setName] = useState("");
  const [role, setRole] = useState("member");
  /** @param {React.FormEvent} event */
  const onSubmit = async (event) => {
    event.preventDefault();
    if (!(await make({ name, role }))) return;
    setName("");
    setRole("member");
    onInvited();
  };
  return (
    <form className="key-form admin-form" onSubmit={onSubmit} data-testid="invite-form">
      <label className="field">
        {say("account.new_name")}
        <input
          required
          maxLength={320}
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
      </label>
      <label className="field">
        {say("account.role")}
        <select value={role} onChange={(event) => setRole(event.target.value)}>
          <option value="member">{say("account.member")}</option>
          <option value="admin">{say("account.admin")}</option>
        </select>
      </label>
      <button type="submit" className="button primary" disabled={isAsking}>
        {say("account.invite")}
      </button>
      <Outcome made={made} problem={problem} />
    </form>
  );
}

/**
 * Button that makes a new link for a person, for one who has lost theirs or has forgotten the password.
 *
 * @param {{ id: string, name: string }} props
 */
export function NewLink({ id, name }) {
  const say = useWords();
  const { made, problem, isAsking, make } = useLinks();
  return (
    <>
      <button
        type="button"
        className="button small"
        aria-label={`${say("admin.new_link")}: ${name}`}
        data-testid="make-link"
        disabled={isAsking}
        onClick={() => make({ person_id: id })}
      >
        {say("admin.new_link")}
      </button>
      <Outcome made={made} problem={problem} />
    </>
  );
}
