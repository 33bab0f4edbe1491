// All budgets, and the form that sets one.

import { useState } from "react";
import { useWords } from "../../i18n/words.js";
import { useNumbers } from "../../settings/usage.jsx";
import { Moment } from "../../ui/date_time.jsx";
import { ConfirmButton, Section, Table } from "./table.jsx";

/**
 * @typedef {{
 *   kind: string,
 *   name: string,
 *   label: string,
 *   per: string,
 *   usd: number | null,
 *   tokens: number | null,
 *   used_usd: number,
 *   used_tokens: number,
 *   resets_at: number | null,
 * }} Budget
 */
/** @typedef {{ kind: string, name: string, per: string, usd: string, tokens: string }} Form */

/** @type {Form} */
const EMPTY = { kind: "user", name: "*", per: "month", usd: "", tokens: "" };

function useNames() {
  const say = useWords();
  return {
    /** @type {Record<string, string>} */
    kinds: { user: say("admin.person"), agent: say("admin.agent"), thread: say("admin.thread") },
    /** @type {Record<string, string>} */
    periods: { turn: say("budgets.turn"), day: say("admin.per_day"), month: say("admin.per_month") },
    /** @param {{ kind: string, label: string }} budget */
    whose: ({ kind, label }) => {
      if (label === "*") return say("admin.each");
      return label || (kind === "user" ? say("admin.nobody") : "–");
    },
  };
}

/** @param {{ budget: Budget, onChange: (budget: Budget) => void, onRemove: (budget: Budget) => void }} props */
function Row({ budget, onChange, onRemove }) {
  const say = useWords();
  const { money, count } = useNumbers();
  const { kinds, periods, whose } = useNames();
  const isCounted = budget.per !== "turn" && budget.name !== "*";
  /**
   * @param {number | null} most
   * @param {number} used
   * @param {(number: number) => string} format
   */
  const part = (most, used, format) => {
    if (most === null) return "–";
    return isCounted ? say("admin.used_of", { used: format(used), most: format(most) }) : format(most);
  };
  const about = `${kinds[budget.kind]} ${whose(budget)}, ${periods[budget.per]}`;
  return (
    <tr data-testid="budget">
      <th scope="row" dir="auto">
        {whose(budget)}
        <small>{kinds[budget.kind]}</small>
      </th>
      <td>{periods[budget.per]}</td>
      <td className="number">{part(budget.usd, budget.used_usd, money)}</td>
      <td className="number">{part(budget.tokens, budget.used_tokens, count)}</td>
      <td>{budget.resets_at === null ? "–" : <Moment at={budget.resets_at} />}</td>
      <td>
        <div className="row-actions">
          <button
            type="button"
            className="button small"
            aria-label={`${say("admin.change")}: ${about}`}
            data-testid="budget-change"
            onClick={() => onChange(budget)}
          >
            {say("admin.change")}
          </button>
          <ConfirmButton
            name="budget-remove"
            label={say("admin.remove")}
            about={about}
            onConfirm={() => onRemove(budget)}
          />
        </div>
      </td>
    </tr>
  );
}

/** @param {{ form: Form, problem: string, onForm: (form: Form) => void, onSend: () => void }} props */
function BudgetForm({ form, problem, onForm, onSend }) {
  const say = useWords();
  const { kinds, periods } = useNames();
  /** @param {Partial<Form>} change */
  const set = (change) => onForm({ ...form, ...change });
  /** @param {Record<string, string>} names */
  const options = (names) =>
    Object.entries(names).map(([value, name]) => (
      <option key={value} value={value}>
        {name}
      </option>
    ));
  return (
    <form
      className="schedule-form"
      data-testid="budget-form"
      onSubmit={(event) => {
        event.preventDefault();
        onSend();
      }}
    >
      <div className="field-row">
        <label className="field">
          {say("admin.budget_for")}
          <select value={form.kind} name="kind" onChange={(event) => set({ kind: event.target.value })}>
            {options(kinds)}
          </select>
        </label>
        <label className="field">
          {say("admin.name")}
          <input value={form.name} name="name" onChange={(event) => set({ name: event.target.value })} />
        </label>
        <label className="field">
          {say("budgets.period")}
          <select value={form.per} name="per" onChange={(event) => set({ per: event.target.value })}>
            {options(periods)}
          </select>
        </label>
        <label className="field">
          {say("admin.dollars")}
          <input
            type="number"
            min="0"
            step="any"
            name="usd"
            value={form.usd}
            onChange={(event) => set({ usd: event.target.value })}
          />
        </label>
        <label className="field">
          {say("usage.tokens")}
          <input
            type="number"
            min="0"
            step="1"
            name="tokens"
            value={form.tokens}
            onChange={(event) => set({ tokens: event.target.value })}
          />
        </label>
      </div>
      <p className="field-note">{say("admin.name_hint")}</p>
      {problem && (
        <p className="field-error" role="alert">
          {say("admin.amount_missing")}
        </p>
      )}
      <button type="submit" className="button primary" data-testid="budget-set">
        {say("admin.set_budget")}
      </button>
    </form>
  );
}

/**
 * @param {{
 *   budgets: Budget[],
 *   problem: string,
 *   onSet: (kind: string, name: string, per: string, usd: string, tokens: string) => void,
 *   onRemove: (kind: string, name: string, per: string) => void,
 * }} props
 */
export function Budgets({ budgets, problem, onSet, onRemove }) {
  const say = useWords();
  const [form, setForm] = useState(EMPTY);
  /** @param {number | null} amount */
  const field = (amount) => (amount === null ? "" : String(amount));
  const heads = [
    say("admin.budget_for"),
    say("budgets.period"),
    say("admin.dollars"),
    say("usage.tokens"),
    say("budgets.resets"),
    say("admin.actions"),
  ];
  return (
    <Section title={say("admin.budgets")}>
      {budgets.length ? (
        <Table label={say("admin.budgets")} name="all-budgets" heads={heads} numbers={[2, 3]}>
          {budgets.map((budget) => (
            <Row
              key={`${budget.kind} ${budget.name} ${budget.per}`}
              budget={budget}
              onChange={({ kind, label, per, usd, tokens }) =>
                setForm({ kind, name: label, per, usd: field(usd), tokens: field(tokens) })
              }
              onRemove={({ kind, name, per }) => onRemove(kind, name, per)}
            />
          ))}
        </Table>
      ) : (
        <p className="field-note">{say("admin.no_budgets")}</p>
      )}
      <BudgetForm
        form={form}
        problem={problem}
        onForm={setForm}
        onSend={() => onSet(form.kind, form.name, form.per, form.usd, form.tokens)}
      />
    </Section>
  );
}
