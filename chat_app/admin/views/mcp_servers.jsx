// The MCP servers with their tools, and the form that adds one. Values of headers are in the form only.

import { useState } from "react";
import { useWords } from "../../i18n/words.js";
import { ConfirmButton, Section } from "./table.jsx";

/** @typedef {{ name: string, description: string, approval: boolean }} Tool */
/**
 * Server; one of the configuration has no id.
 *
 * @typedef {{
 *   id: string,
 *   name: string,
 *   url: string,
 *   headers: string[],
 *   approval: string,
 *   access: string,
 *   enabled: boolean,
 *   status: "connected" | "connecting" | "down" | "off" | "personal",
 *   problem: string,
 *   tools: Tool[],
 *   skipped: Record<string, string>,
 * }} Server
 */
/** @typedef {{ id?: string, running?: boolean, count?: number, problem?: string }} Tested */
/** @typedef {{ name: string, value: string }} Header */
/**
 * @typedef {{
 *   onTest: (id: string) => void,
 *   onSwitch: (id: string, on: boolean) => void,
 *   onRemove: (id: string) => void,
 * }} Actions
 */

/** @param {{ server: Server }} props */
function Tools({ server }) {
  const say = useWords();
  const skipped = Object.entries(server.skipped);
  if (!server.tools.length && !skipped.length) return null;
  return (
    <details data-testid="mcp-tools">
      <summary>{say("mcp.tools", { count: server.tools.length })}</summary>
      <ul className="mcp-tools">
        {server.tools.map((tool) => (
          <li key={tool.name}>
            <code>{tool.name}</code> {tool.approval && <span className="mcp-mark">{say("mcp.asks")}</span>}
            {tool.description && (
              <p className="field-note" dir="auto">
                {tool.description}
              </p>
            )}
          </li>
        ))}
        {skipped.map(([name, reason]) => (
          <li key={`skipped ${name}`}>
            <code>{name}</code> <span className="mcp-mark">{say("mcp.skipped")}</span>
            <p className="field-note" dir="auto">
              {reason}
            </p>
          </li>
        ))}
      </ul>
    </details>
  );
}

/** @param {{ tested: Tested }} props */
function TestResult({ tested }) {
  const say = useWords();
  const found = say("mcp.reached", { count: tested.count ?? 0 });
  return (
    <p
      className={tested.problem ? "field-error" : "field-note"}
      role="status"
      data-testid="mcp-tested"
      dir="auto"
    >
      {tested.running ? say("mcp.testing") : tested.problem || found}
    </p>
  );
}

/** @param {{ server: Server } & Actions} props */
function Buttons({ server, onTest, onSwitch, onRemove }) {
  const say = useWords();
  const { id, name, enabled } = server;
  const label = say(enabled ? "mcp.switch_off" : "mcp.switch_on");
  return (
    <div className="row-actions">
      <button
        type="button"
        className="button small"
        aria-label={`${say("mcp.test")}: ${name}`}
        data-testid="mcp-test"
        onClick={() => onTest(id)}
      >
        {say("mcp.test")}
      </button>
      <button
        type="button"
        className="button small"
        aria-label={`${label}: ${name}`}
        data-testid="mcp-switch"
        onClick={() => onSwitch(id, !enabled)}
      >
        {label}
      </button>
      <ConfirmButton
        name="mcp-remove"
        label={say("admin.remove")}
        about={name}
        onConfirm={() => onRemove(id)}
      />
    </div>
  );
}

/** @param {{ server: Server, tested: Tested } & Actions} props */
function Row({ server, tested, ...actions }) {
  const say = useWords();
  /** @type {Record<string, string>} */
  const approvals = { always: say("mcp.approval_always"), hints: say("mcp.approval_hints") };
  const statuses = {
    connected: say("mcp.connected"),
    connecting: say("mcp.connecting"),
    down: say("mcp.down"),
    off: say("admin.off"),
    personal: say("mcp.nobody_yet"),
  };
  const about = [
    server.id ? server.url : say("mcp.configured"),
    server.headers.length && say("mcp.sends", { names: server.headers.join(", ") }),
    server.access === "personal" && say("mcp.access_personal"),
    approvals[server.approval],
  ];
  return (
    <li data-testid="mcp-server" data-status={server.status}>
      <div className="section-head">
        <h3>
          {server.name} <span className={`mcp-status ${server.status}`}>{statuses[server.status]}</span>
        </h3>
        {server.id && <Buttons server={server} {...actions} />}
      </div>
      <p className="field-note mcp-about" dir="auto">
        {about.filter(Boolean).join(" · ")}
      </p>
      {server.problem && (
        <p className="field-error" data-testid="mcp-problem" dir="auto">
          {server.problem}
        </p>
      )}
      {server.id && tested.id === server.id && <TestResult tested={tested} />}
      <Tools server={server} />
    </li>
  );
}

/** @param {{ headers: Header[], onChange: (headers: Header[]) => void }} props */
function HeaderFields({ headers, onChange }) {
  const say = useWords();
  /**
   * @param {number} place
   * @param {Partial<Header>} change
   */
  const set = (place, change) =>
    onChange(headers.map((header, index) => (index === place ? { ...header, ...change } : header)));
  return (
    <>
      {headers.map((header, index) => (
        <div className="field-row" key={index}>
          <label className="field">
            {say("mcp.header")}
            <input
              value={header.name}
              placeholder="Authorization"
              autoComplete="off"
              data-testid="mcp-header"
              onChange={(event) => set(index, { name: event.target.value })}
            />
          </label>
          <label className="field">
            {say("mcp.value")}
            <input
              type="password"
              value={header.value}
              placeholder="Bearer …"
              autoComplete="new-password"
              data-testid="mcp-value"
              onChange={(event) => set(index, { value: event.target.value })}
            />
          </label>
        </div>
      ))}
      <button
        type="button"
        className="button small"
        data-testid="mcp-add-header"
        onClick={() => onChange([...headers, { name: "", value: "" }])}
      >
        {say("mcp.add_header")}
      </button>
      {headers.length > 0 && <p className="field-note">{say("mcp.header_note")}</p>}
    </>
  );
}

/** @param {{ onAdd: (name: string, url: string, headers: Record<string, string>, approval: string, access: string) => void }} props */
function ServerForm({ onAdd }) {
  const say = useWords();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [headers, setHeaders] = useState(/** @type {Header[]} */ ([]));
  const [approval, setApproval] = useState("always");
  const [access, setAccess] = useState("shared");
  /** @param {React.FormEvent} event */
  const onSubmit = (event) => {
    event.preventDefault();
    const filled = headers.filter((header) => access === "shared" && (header.name || header.value));
    onAdd(
      name,
      url,
      Object.fromEntries(filled.map((header) => [header.name, header.value])),
      approval,
      access,
    );
  };
  return (
    <form className="schedule-form" data-testid="mcp-form" onSubmit={onSubmit}>
      <div className="field-row">
        <label className="field">
          {say("mcp.name")}
          <input
            required
            maxLength={30}
            autoComplete="off"
            autoCapitalize="none"
            value={name}
            placeholder="shop"
            data-testid="mcp-name"
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <label className="field">
          {say("mcp.url")}
          <input
            required
            type="url"
            autoComplete="off"
            value={url}
            placeholder="https://…/mcp"
            data-testid="mcp-url"
            onChange={(event) => setUrl(event.target.value)}
          />
        </label>
      </div>
      <label className="field">
        {say("mcp.access")}
        <select value={access} data-testid="mcp-access" onChange={(event) => setAccess(event.target.value)}>
          <option value="shared">{say("mcp.access_shared")}</option>
          <option value="personal">{say("mcp.access_personal")}</option>
        </select>
      </label>
      {access === "shared" && <HeaderFields headers={headers} onChange={setHeaders} />}
      <label className="field">
        {say("mcp.approval")}
        <select
          value={approval}
          data-testid="mcp-approval"
          onChange={(event) => setApproval(event.target.value)}
        >
          <option value="always">{say("mcp.approval_always")}</option>
          <option value="hints">{say("mcp.approval_hints")}</option>
        </select>
      </label>
      <button type="submit" className="button primary" data-testid="mcp-add">
        {say("mcp.add")}
      </button>
    </form>
  );
}

/**
 * @param {{
 *   servers: Server[],
 *   reach: string,
 *   added: number,
 *   tested: Tested,
 *   onAdd: (name: string, url: string, headers: Record<string, string>, approval: string, access: string) => void,
 * } & Actions} props
 */
export function McpServers({ servers, reach, added, tested, onAdd, ...actions }) {
  const say = useWords();
  return (
    <>
      <Section title={say("mcp.title")}>
        <p className="field-note">{say("mcp.about")}</p>
        {servers.length ? (
          <ul className="mcp-servers">
            {servers.map((server) => (
              <Row key={server.id || server.name} server={server} tested={tested} {...actions} />
            ))}
          </ul>
        ) : (
          <p className="field-note" data-testid="no-mcp-servers">
            {say("mcp.empty")}
          </p>
        )}
      </Section>
      <Section title={say("mcp.add_title")}>
        {reach === "none" ? (
          <p className="field-note" data-testid="mcp-off">
            {say("mcp.form_off")}
          </p>
        ) : (
          <>
            <p className="field-note">{say(reach === "public" ? "mcp.form_public" : "mcp.form_note")}</p>
            <ServerForm key={added} onAdd={onAdd} />
          </>
        )}
      </Section>
    </>
  );
}
