// A person's budgets: what each period allows, and what of it is used.

import { useLanguage, useWords } from "../i18n/words.js";
import { useNumbers } from "./usage.jsx";

/**
 * Row of the table; amounts that the budget does not limit are null.
 *
 * @typedef {{
 *   per: string,
 *   usd: number | null,
 *   tokens: number | null,
 *   used_usd: number,
 *   used_tokens: number,
 *   resets_at: number | null,
 * }} Budget
 */

/** @param {{ budgets: Budget[] }} props */
export function OwnBudgets({ budgets }) {
  const say = useWords();
  const { money } = useNumbers();
  const language = useLanguage();
  /** @type {Record<string, string>} */
  const periods = { turn: say("budgets.turn"), day: say("budgets.day"), month: say("budgets.month") };
  /** @param {Budget} one */
  const amounts = (one) => {
    const found = [];
    if (one.per === "turn") {
      if (one.usd !== null) found.push(money(one.usd));
      if (one.tokens !== null) found.push(say("budgets.tokens", { most: one.tokens }));
    } else {
      if (one.usd !== null)
        found.push(say("budgets.of", { used: money(one.used_usd), most: money(one.usd) }));
      if (one.tokens !== null)
        found.push(say("budgets.tokens_of", { used: one.used_tokens, most: one.tokens }));
    }
    return found.join(" · ");
  };
  /** @param {number | null} at */
  const moment = (at) =>
    at === null
      ? "–"
      : new Date(at * 1000).toLocaleString(language, { dateStyle: "medium", timeStyle: "short" });
  return (
    <table className="usage-table" data-testid="budgets">
      <thead>
        <tr>
          <th scope="col">{say("budgets.period")}</th>
          <th scope="col">{say("budgets.used")}</th>
          <th scope="col">{say("budgets.resets")}</th>
        </tr>
      </thead>
      <tbody>
        {budgets.map((one) => (
          <tr key={one.per}>
            <th scope="row">{periods[one.per]}</th>
            <td>{amounts(one)}</td>
            <td>{moment(one.resets_at)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
