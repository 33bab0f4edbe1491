"""The MCP server of the order desk, on standard input and output."""

from mcp.server import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("shop", log_level="CRITICAL")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def price_of(colour: str) -> dict[str, float]:
    """Look up the price of a colour."""
    return {"price": 12.5}


if __name__ == "__main__":
    server.run("stdio")
