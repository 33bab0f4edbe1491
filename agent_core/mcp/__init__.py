"""Tools of MCP servers (Model Context Protocol), mounted into an agent.

The package `mcp` is imported when a server is entered; nothing here needs it before.
"""

from agent_core.mcp.server import McpServer, mcp_tools
from agent_core.mcp.tools import ToolOverrides

__all__ = ["McpServer", "ToolOverrides", "mcp_tools"]
