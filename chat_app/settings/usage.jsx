// The usage report: a bar per day, and a table per grouping. The bars are plain elements, without a chart library.

import { useState } from "react";
import { useLanguage, useWords } from "../i18n/words.js";

/**
 * Row of the report, for a `day` or a `name`.
 *
 * @typedef {{
 *   day: string,
 *   name: string,
 *   requests: number,
 *   metered: number,
 *   estimated: number,
 *   total_tokens: number,
 *   cost: number | null,
 * }} Sum
 */

const UNKNOWN = "unknown"; // the model of an attempt that did not report one

const MEASURES = /** @type {const} */ (["cost", "tokens"]); // of the bars

export function useNumbers() {
  const language = useLanguage();
  /** @param {number} number */
  const count = (number) => number.toLocaleString(language);
  /** @param {number | null} dollars */
  const money = (dollars) =>
    dollars === null || dollars === undefined
      ? "–"
      : dollars.toLocaleString(language, {
          style: "currency",
          currency: "USD",
          maximumFractionDigits: dollars && dollars < 0.1 ? 4 : 2,
        });
  // Days are UTC days, and must not shift in the user's time zone.
  /** @param {string} iso */
  const day = (iso) =>
    new Date(`${iso}T12:00:00Z`).toLocaleDateString(language, {
      day: "numeric",
      month: "short",
      timeZone: "UTC",
    });
  return { count, money, day };
}

/** @param {{ label: string, children: React.ReactNode, name: string }} props */
function Figure({ label, children, name }) {
  return (
    <div className="figure" data-testid={`usage-${name}`}>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** @param {{ days: Sum[], measure: string }} props */
function Bars({ days, measure }) {
  const { count, money, day } = useNumbers();
  const say = useWords();
  /** @param {Sum} one */
  const value = (one) => (measure === "cost" ? (one.cost ?? 0) : one.total_tokens);
  /** @param {Sum} one */
  const words = (one) => `${day(one.day)}: ${measure === "cost" ? money(one.cost) : count(one.total_tokens)}`;
  const most = Math.max(...days.map(value), 0);
  return (
    <figure className="bars" data-testid="usage-bars">
      <ol aria-label={say("usage.by_day")}>
        {days.map((one) => (
          <li key={one.day} title={words(one)} aria-label={words(one)}>
            <span style={{ height: most ? `${(100 * value(one)) / most}%` : 0 }} data-some={value(one) > 0} />
          </li>
        ))}
      </ol>
      <figcaption>
        <span>{day(days[0].day)}</span>
        <span>{day(days[days.length - 1].day)}</span>
      </figcaption>
    </figure>
  );
}

/** @param {{ heading: string, rows: Sum[], name: string }} props */
function Table({ heading, rows, name }) {
  const { count, money } = useNumbers();
  const say = useWords();
  return (
    <table className="usage-table" data-testid={`usage-${name}`}>
      <thead>
        <tr>
          <th scope="col">{heading}</th>
          <th scope="col">{say("usage.requests")}</th>
          <th scope="col">{say("usage.tokens")}</th>
          <th scope="col">{say("usage.cost")}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.name}>
            <th scope="row" dir="auto">
              {row.name === UNKNOWN ? say("usage.unknown") : row.name}
            </th>
            <td>{count(row.requests)}</td>
            <td>{count(row.total_tokens)}</td>
            <td>{money(row.cost)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** @param {{ report: { total: Sum, by_day: Sum[], by_model: Sum[], by_agent: Sum[] } }} props */
export function Usage({ report }) {
  const { count, money } = useNumbers();
  const say = useWords();
  const [chosen, setMeasure] = useState(/** @type {typeof MEASURES[number] | null} */ (null));
  if (!report?.total) return null;
  if (!report.total.requests) return <p className="field-note">{say("usage.nothing")}</p>;
  const measure = chosen ?? (report.total.cost ? "cost" : "tokens");
  const { requests, metered, estimated } = report.total;
  const unmetered = requests - metered - estimated;
  return (
    <div className="usage" data-testid="usage">
      <dl className="figures">
        <Figure name="cost" label={say("usage.cost")}>
          {money(report.total.cost)}
        </Figure>
        <Figure name="tokens" label={say("usage.tokens")}>
          {count(report.total.total_tokens)}
        </Figure>
        <Figure name="requests" label={say("usage.requests")}>
          {count(report.total.requests)}
        </Figure>
      </dl>
      <div className="measure">
        {MEASURES.map((name) => (
          <button
            key={name}
            type="button"
            className="button"
            aria-pressed={measure === name}
            onClick={() => setMeasure(name)}
          >
            {say(`usage.${name}`)}
          </button>
        ))}
      </div>
      <Bars days={report.by_day} measure={measure} />
      <Table name="models" heading={say("usage.by_model")} rows={report.by_model} />
      <Table name="agents" heading={say("usage.by_agent")} rows={report.by_agent} />
      <p className="field-note">{say("usage.days")}</p>
      {estimated > 0 && <p className="field-note">{say("usage.estimated", { count: estimated })}</p>}
      {unmetered > 0 && <p className="field-note">{say("usage.unmetered", { count: unmetered })}</p>}
    </div>
  );
}
