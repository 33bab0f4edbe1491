// What everybody has used, and the people who have cost most.

import { useWords } from "../../i18n/words.js";
import { useNumbers } from "../../settings/usage.jsx";
import { Figure, Section, Table } from "./table.jsx";

/** @typedef {{ requests: number, tokens: number, cost: number | null, estimated: number, unmetered: number }} Used */
/** @typedef {{ period: string, total: Used, people: (Used & { user: string, name: string })[] }} Report */

/** @param {{ report: Report, onPeriod: (period: string) => void }} props */
export function PeopleUsage({ report, onPeriod }) {
  const say = useWords();
  const { count, money } = useNumbers();
  /**
   * A number that contains estimates is marked.
   *
   * @param {Used} used
   * @param {string} number
   */
  const marked = (used, number) => (used.estimated && number !== "–" ? `≈ ${number}` : number);
  const { total, people } = report;
  const heads = [say("admin.person"), say("usage.requests"), say("usage.tokens"), say("usage.cost")];
  return (
    <Section
      title={say("admin.by_person")}
      controls={
        <label className="field short inline">
          <span className="sr-only">{say("usage.span")}</span>
          <select
            value={report.period}
            data-testid="usage-period"
            onChange={(event) => onPeriod(event.target.value)}
          >
            <option value="day">{say("budgets.day")}</option>
            <option value="month">{say("budgets.month")}</option>
          </select>
        </label>
      }
    >
      <dl className="figures admin-figures">
        <Figure name="cost" label={say("usage.cost")}>
          {marked(total, money(total.cost))}
        </Figure>
        <Figure name="tokens" label={say("usage.tokens")}>
          {marked(total, count(total.tokens))}
        </Figure>
        <Figure name="requests" label={say("usage.requests")}>
          {count(total.requests)}
        </Figure>
      </dl>
      {people.length > 0 && (
        <Table label={say("admin.by_person")} name="people-usage" heads={heads} numbers={[1, 2, 3]}>
          {people.map((person) => (
            <tr key={person.user} data-testid="person-usage">
              <th scope="row" dir="auto">
                {person.name || say("admin.nobody")}
              </th>
              <td className="number">{count(person.requests)}</td>
              <td className="number">{marked(person, count(person.tokens))}</td>
              <td className="number">{marked(person, money(person.cost))}</td>
            </tr>
          ))}
        </Table>
      )}
      <p className="field-note">{say("admin.days_utc")}</p>
      {total.estimated > 0 && (
        <p className="field-note">{say("usage.estimated", { count: total.estimated })}</p>
      )}
      {total.unmetered > 0 && (
        <p className="field-note">{say("usage.unmetered", { count: total.unmetered })}</p>
      )}
    </Section>
  );
}
