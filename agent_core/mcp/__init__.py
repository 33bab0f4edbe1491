"""Use the tools of MCP servers (Model Context Protocol) in agents.

The package `mcp` is imported when a server is entered, not before.
"""

from agent_core.mcp.server import McpServer, mcp_tools
from agent_core.mcp.tools import ToolOverrides

__all__ = ["McpServer", "ToolOverrides", "mcp_tools"]
