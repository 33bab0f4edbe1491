// Tables and figures of the admin page.

import { useState } from "react";
import { useWords } from "../../i18n/words.js";

/**
 * Part of a section under a heading, with controls beside it.
 *
 * @param {{ title: string, controls?: React.ReactNode, children: React.ReactNode }} props
 */
export function Section({ title, controls, children }) {
  return (
    <section className="section">
      <div className="section-head">
        <h2>{title}</h2>
        {controls}
      </div>
      {children}
    </section>
  );
}

const FEW = 3; // columns for which a phone is wide enough

/**
 * Return the names of the columns as properties for the style sheet, which shows them in the rows on a phone.
 *
 * @param {string[]} heads
 */
const headStyle = (heads) =>
  /** @type {React.CSSProperties} */ (
    Object.fromEntries(heads.map((head, index) => [`--head-${index + 1}`, JSON.stringify(head)]))
  );

/**
 * Table whose box scrolls sideways where it is too narrow, and whose rows are cards on a phone if they are long; `numbers` are the columns
 * of numbers.
 *
 * @param {{ label: string, name: string, heads: string[], numbers?: number[], children: React.ReactNode }} props
 */
export function Table({ label, name, heads, numbers = [], children }) {
  return (
    <div className="table-scroll" role="region" aria-label={label} tabIndex={0}>
      <table
        className={heads.length > FEW ? "admin-table cards" : "admin-table"}
        data-testid={name}
        style={headStyle(heads)}
      >
        <thead>
          <tr>
            {heads.map((head, index) => (
              <th key={head} scope="col" className={numbers.includes(index) ? "number" : undefined}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** @param {{ label: string, name: string, children: React.ReactNode, note?: React.ReactNode }} props */
export function Figure({ label, name, children, note }) {
  return (
    <div className="figure" data-testid={`figure-${name}`}>
      <dt>{label}</dt>
      <dd>{children}</dd>
      {note && <dd className="figure-note">{note}</dd>}
    </div>
  );
}

/**
 * Button that asks once more before it acts; `note` then says what it does.
 *
 * @param {{ label: string, about: string, name: string, note?: string, onConfirm: () => void }} props
 */
export function ConfirmButton({ label, about, name, note, onConfirm }) {
  const say = useWords();
  const [asking, setAsking] = useState(false);
  if (!asking)
    return (
      <button
        type="button"
        className="button small danger"
        aria-label={`${label}: ${about}`}
        data-testid={name}
        onClick={() => setAsking(true)}
      >
        {label}
      </button>
    );
  const confirm = () => {
    setAsking(false);
    onConfirm();
  };
  return (
    <>
      {note && <p className="field-note">{note}</p>}
      <button
        type="button"
        className="button small danger"
        autoFocus
        aria-label={`${say("admin.really", { action: label })}: ${about}`}
        data-testid={`${name}-confirm`}
        onClick={confirm}
      >
        {say("admin.really", { action: label })}
      </button>
      <button type="button" className="button small" onClick={() => setAsking(false)}>
        {say("admin.cancel")}
      </button>
    </>
  );
}

/**
 * Name of a thread, as a link for those who may open it.
 *
 * @param {{ link: string, children: string }} props
 */
export function ThreadLink({ link, children }) {
  if (!link)
    return (
      <span className="thread" title={children} dir="auto">
        {children}
      </span>
    );
  return (
    <a className="thread" href={link} title={children} dir="auto">
      {children}
    </a>
  );
}
