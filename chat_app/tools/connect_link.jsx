// The link with which a person signs in at an MCP server.

import { serverUrl } from "../files/attachment_store.js";
import { useWords } from "../i18n/words.js";

/** @param {{ server: string }} props */
export function ConnectLink({ server }) {
  const say = useWords();
  return (
    <a
      className="button"
      href={serverUrl(`/mcp-servers/connect/${encodeURIComponent(server)}`)}
      data-testid="mcp-connect"
    >
      {say("mcp.connect", { name: server })}
    </a>
  );
}
