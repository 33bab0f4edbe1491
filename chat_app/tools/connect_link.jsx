// The link with which a person signs in at an MCP server.

import { serverUrl } from "../files/attachment_store.js";
import { useWords } from "../i18n/words.js";

/** @param {{ server: string, short?: boolean }} props  short: beside the name of the server */
export function ConnectLink({ server, short = false }) {
  const say = useWords();
  const words = say("mcp.connect", { name: server });
  return (
    <a
      className="button"
      href={serverUrl(`/mcp-servers/connect/${encodeURIComponent(server)}`)}
      aria-label={words}
      data-testid="mcp-connect"
    >
      {short ? say("mcp.connect_short") : words}
    </a>
  );
}
