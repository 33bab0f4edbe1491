// What the database takes, and what retention deletes next.

import { useLanguage, useWords } from "../../i18n/words.js";
import { Figure, Section, Table } from "./table.jsx";

/** @typedef {{ kind: string, rows: number, size: number | null }} Kind */
/** @typedef {{ agent: string, keep: number | null, due: number, soon: number }} Expiry */
/**
 * @typedef {{
 *   size: number,
 *   free: number | null,
 *   wal: number | null,
 *   kinds: Kind[],
 *   expiries: Expiry[],
 *   in_bin: number,
 * }} Report
 */

const DAY = 86_400; // seconds
const UNITS = /** @type {const} */ (["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"]);

/** @returns {(bytes: number | null) => string} */
function useBytes() {
  const language = useLanguage();
  return (bytes) => {
    if (bytes === null) return "–";
    const power = Math.min(UNITS.length - 1, bytes ? Math.floor(Math.log10(bytes) / 3) : 0);
    return (bytes / 1000 ** power).toLocaleString(language, {
      style: "unit",
      unit: UNITS[power],
      unitDisplay: "short",
      maximumFractionDigits: power ? 1 : 0,
    });
  };
}

/** @param {{ kinds: Kind[] }} props */
function Kinds({ kinds }) {
  const say = useWords();
  const bytes = useBytes();
  const language = useLanguage();
  /** @type {Record<string, string>} */
  const names = {
    threads: say("admin.stored_threads"),
    messages: say("admin.stored_messages"),
    steps: say("admin.stored_steps"),
    tool_calls: say("admin.stored_tool_calls"),
    files: say("admin.stored_files"),
    search: say("admin.stored_search"),
    usage: say("admin.stored_usage"),
    schedules: say("admin.stored_schedules"),
    outbox: say("admin.stored_outbox"),
    people: say("admin.people"),
    sessions: say("admin.stored_sessions"),
    keys: say("keys.title"),
    mcp_servers: say("mcp.title"),
    other: say("admin.stored_rest"),
  };
  const heads = [say("admin.kind"), say("admin.rows"), say("admin.size")];
  return (
    <Table label={say("admin.database")} name="stored" heads={heads} numbers={[1, 2]}>
      {kinds.map((kind) => (
        <tr key={kind.kind}>
          <th scope="row">{names[kind.kind] ?? kind.kind}</th>
          <td className="number">{kind.kind === "other" ? "–" : kind.rows.toLocaleString(language)}</td>
          <td className="number">{bytes(kind.size)}</td>
        </tr>
      ))}
    </Table>
  );
}

/** @param {{ expiries: Expiry[] }} props */
function Expiries({ expiries }) {
  const say = useWords();
  const heads = [
    say("admin.agent"),
    say("admin.kept_for"),
    say("admin.deleted_now"),
    say("admin.deleted_soon"),
  ];
  return (
    <Table label={say("admin.retention")} name="retention" heads={heads} numbers={[2, 3]}>
      {expiries.map((expiry) => (
        <tr key={expiry.agent}>
          <th scope="row">{expiry.agent}</th>
          <td>
            {expiry.keep === null
              ? say("admin.kept_forever")
              : say("admin.days", { count: Math.round((10 * expiry.keep) / DAY) / 10 })}
          </td>
          <td className="number">{expiry.due}</td>
          <td className="number">{expiry.soon}</td>
        </tr>
      ))}
    </Table>
  );
}

/** @param {{ report: Report, onRefresh: () => void }} props */
export function Storage({ report, onRefresh }) {
  const say = useWords();
  const bytes = useBytes();
  return (
    <>
      <Section
        title={say("admin.database")}
        controls={
          <button type="button" className="button" data-testid="storage-refresh" onClick={onRefresh}>
            {say("admin.refresh")}
          </button>
        }
      >
        <dl className="figures admin-figures">
          <Figure name="size" label={say("admin.size")}>
            {bytes(report.size)}
          </Figure>
          {report.free !== null && (
            <Figure name="free" label={say("admin.free")}>
              {bytes(report.free)}
            </Figure>
          )}
          {report.wal !== null && (
            <Figure name="wal" label={say("admin.wal")}>
              {bytes(report.wal)}
            </Figure>
          )}
          <Figure name="bin" label={say("admin.in_bin")}>
            {report.in_bin}
          </Figure>
        </dl>
        <Kinds kinds={report.kinds} />
      </Section>
      <Section title={say("admin.retention")}>
        <Expiries expiries={report.expiries} />
        <p className="field-note">{say("admin.retention_note")}</p>
      </Section>
    </>
  );
}
