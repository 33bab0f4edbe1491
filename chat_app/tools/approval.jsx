// The approval of a tool call: its arguments as editable fields, Approve, and Reject with a reason.

import { useMemo, useState } from "react";
import Check from "lucide-react/dist/esm/icons/check.mjs";
import X from "lucide-react/dist/esm/icons/x.mjs";
import { useWords } from "../i18n/words.js";

const LINE_LENGTH = 60; // characters; a longer text gets several lines

/**
 * Parse the arguments into an object; null if they are not one, or were truncated for the page.
 *
 * @param {string} text
 * @returns {Record<string, any> | null}
 */
function parsed(text) {
  try {
    const value = JSON.parse(text);
    return value && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

/** @param {unknown} value */
const isPlain = (value) =>
  typeof value === "string" || typeof value === "number" || typeof value === "boolean";
/** @param {any} value */
const shown = (value) => (isPlain(value) ? value : JSON.stringify(value, null, 2));

/**
 * Convert the typed text to the type of the value that it replaces; undefined if it is invalid.
 *
 * @param {unknown} before
 * @param {any} now
 */
function typed(before, now) {
  if (typeof before === "string" || typeof before === "boolean") return now;
  if (typeof before === "number")
    return String(now).trim() === "" || Number.isNaN(Number(now)) ? undefined : Number(now);
  try {
    return JSON.parse(now);
  } catch {
    return undefined;
  }
}

/**
 * @param {{ name: string, before: unknown, value: any, wrong: boolean, onChange: (value: any) => void }} props
 */
function Field({ name, before, value, wrong, onChange }) {
  const props = {
    "aria-label": name,
    "aria-invalid": wrong,
    "data-testid": "approval-field",
    "data-name": name,
  };
  if (typeof before === "boolean")
    return (
      <input
        type="checkbox"
        checked={value}
        onChange={(event) => onChange(event.target.checked)}
        {...props}
      />
    );
  const text = String(value);
  /** @param {React.ChangeEvent<HTMLInputElement | HTMLTextAreaElement>} event */
  const change = (event) => onChange(event.target.value);
  if (typeof before === "number")
    return <input inputMode="decimal" value={text} onChange={change} {...props} />;
  const rows = Math.min(8, Math.max(1, text.split("\n").length, Math.ceil(text.length / LINE_LENGTH)));
  return (
    <textarea
      rows={rows}
      dir="auto"
      className={isPlain(before) ? "" : "json"}
      value={text}
      onChange={change}
      {...props}
    />
  );
}

/**
 * @param {{
 *   callId: string,
 *   argumentsText?: string,
 *   onApprove: (callId: string, edited: Record<string, any> | null) => void,
 *   onDeny: (callId: string, reason: string) => void,
 * }} props
 */
export function ApprovalCard({ callId, argumentsText = "", onApprove, onDeny }) {
  const say = useWords();
  const read = useMemo(() => parsed(argumentsText), [argumentsText]);
  const given = read ?? {};
  /** @type {[Record<string, any>, (changes: Record<string, any>) => void]} */
  const [changes, setChanges] = useState({});
  const [reason, setReason] = useState("");
  const [decided, setDecided] = useState(false);
  const names = Object.keys(given);
  const now = Object.fromEntries(
    names.map((name) => [name, name in changes ? typed(given[name], changes[name]) : given[name]]),
  );
  const wrong = names.filter((name) => now[name] === undefined);
  const edited = JSON.stringify(now) === JSON.stringify(given) ? null : now;
  /** @param {() => void} send */
  const decide = (send) => {
    if (decided) return;
    setDecided(true);
    setTimeout(() => setDecided(false), 3000); // if the decision was refused or lost, the user can try again
    send();
  };
  return (
    <div className="ask" data-testid="approval-card">
      <p>{say("tool.may_it")}</p>
      {names.length > 0 && (
        <div className="fields">
          {names.map((name) => (
            <label key={name} className={typeof given[name] === "boolean" ? "check" : ""}>
              <span dir="auto">{name}</span>
              <Field
                name={name}
                before={given[name]}
                value={name in changes ? changes[name] : shown(given[name])}
                wrong={wrong.includes(name)}
                onChange={(value) => setChanges({ ...changes, [name]: value })}
              />
              {wrong.includes(name) && (
                <em role="alert">
                  {typeof given[name] === "number" ? say("tool.not_a_number") : say("tool.not_json")}
                </em>
              )}
            </label>
          ))}
        </div>
      )}
      {!read && argumentsText && <pre tabIndex={0}>{argumentsText}</pre>}
      <div className="choices">
        <button
          type="button"
          className="button primary"
          disabled={wrong.length > 0}
          onClick={() => decide(() => onApprove(callId, edited))}
          data-testid="approve"
        >
          <Check size={14} aria-hidden="true" />
          {edited ? say("tool.approve_changed") : say("tool.approve")}
        </button>
        <button
          type="button"
          className="button"
          onClick={() => decide(() => onDeny(callId, reason))}
          data-testid="reject"
        >
          <X size={14} aria-hidden="true" />
          {say("tool.reject")}
        </button>
        <input
          className="reason"
          dir="auto"
          value={reason}
          onChange={(event) => setReason(event.target.value)}
          placeholder={say("tool.reason")}
          aria-label={say("tool.reason")}
          data-testid="reason"
        />
      </div>
    </div>
  );
}
