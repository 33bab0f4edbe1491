"""Section of the MCP servers: add, test, switch on and off, and remove those of the form; see what each offers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import reflex as rx

from agent_core import McpServer, Tool
from agent_core.errors import AgentCoreError, words_of
from agent_core.mcp.personal import PersonalServer
from chat_app.admin.admin_state import AdminState, error, refresh
from chat_app.admin.sections import register_section
from chat_app.database.tables import McpServerRow
from chat_app.extensions import MCP_SERVERS
from chat_app.mcp_servers import rows
from chat_app.mcp_servers.servers import AddedServers
from chat_app.scripts import react_component
from chat_app.session.service import service

_MAX_DESCRIPTION = 300  # characters of a tool's description that the page shows

_servers = react_component(
    "admin/views/mcp_servers.jsx",
    "McpServers",
    servers=list[dict[str, Any]],
    reach=str,
    added=int,
    tested=dict[str, Any],
    on_add=(str, str, dict[str, str], str, str),
    on_test=(str,),
    on_switch=(str, bool),
    on_remove=(str,),
)
"""The servers with their tools, and the form that adds one."""


class McpServers(AdminState, rx.State):
    """State of the section.

    Attributes:
        servers: those of the form and of the configuration, with their tools in this process; no values of headers.
        reach: the value of CHAT_MCP_FORM.
        added: number of servers that this tab has added; the form is emptied when it grows.
        tested: the server of the last test, its result, and whether it still runs; {} before one.
    """

    servers: list[dict[str, Any]] = []
    reach: str = ""
    added: int = 0
    tested: dict[str, Any] = {}

    async def _read(self) -> dict[str, Any]:
        known = service().mcp_servers
        added = [_row(row, known) for row in await known.list()]
        own = {each["name"] for each in added}
        configured = [_configured(server) for name, server in MCP_SERVERS.items() if name not in own]
        return {"servers": [*added, *configured], "reach": known.reach}

    @rx.event
    async def add(self, name: str, url: str, headers: dict[str, str], approval: str, access: str):
        """Add a server, and connect it."""
        if self._is_admin() and service().mcp_servers.reach != "none":
            await self._do(service().mcp_servers.add, name, url, headers, approval, access)
            self.added += not self.notice

    @rx.event
    async def test(self, server_id: str):
        """Connect to a server again, and show its tools or its error."""
        if not self._is_admin():
            return
        ctx = self._ctx()
        self.tested = {"id": server_id, "running": True}
        yield
        tools, problem = await service().mcp_servers.test(server_id, ctx.user_id if ctx else None)
        self.tested = {"id": server_id, "running": False, "count": len(tools), "problem": problem}
        await self._show()

    @rx.event
    async def switch(self, server_id: str, on: bool):
        """Switch a server on or off."""
        if self._is_admin():
            await self._do(service().mcp_servers.set_enabled, server_id, enabled=on)

    @rx.event
    async def remove(self, server_id: str):
        """Remove a server with its headers."""
        if self._is_admin():
            await self._do(service().mcp_servers.remove, server_id)

    async def _do(self, change: Callable[..., Awaitable[None]], *args: Any, **options: Any) -> None:
        """Change the servers, then read the section; on an error, set `notice`."""
        self.notice, self.tested = "", {}
        try:
            await change(*args, **options)
        except AgentCoreError as error:
            self.notice = words_of(error)
        await self._show()


def _row(row: McpServerRow, known: AddedServers) -> dict[str, Any]:
    server, problem = known.server_of(row), known.problem_of(row)
    return {
        "id": row.id,
        "name": row.name,
        "url": rows.shown_url(row.url),
        "headers": sorted(rows.headers_of(row)),
        "approval": row.approval,
        "access": row.access,
        "enabled": row.enabled,
        **_state(server, problem),
    }


def _configured(server: McpServer) -> dict[str, Any]:
    about = {
        "id": "",
        "name": server.name,
        "url": "",
        "headers": [],
        "approval": "",
        "access": "",
        "enabled": True,
    }
    return about | _state(server, server.error or "")


def _state(server: McpServer | PersonalServer | None, problem: str) -> dict[str, Any]:
    if server is None:
        return {"status": "off", "problem": "", "tools": [], "skipped": {}}
    if isinstance(server, PersonalServer):
        status = "down" if problem else "connected" if server.tools else "personal"
    else:
        status = "connected" if server.status == "connected" else "down" if problem else "connecting"
    return {
        "status": status,
        "problem": problem,
        "tools": [_tool(tool) for tool in server.tools],
        "skipped": server.skipped,
    }


def _tool(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description[:_MAX_DESCRIPTION],
        "approval": bool(tool.needs_approval),
    }


@register_section("mcp-servers", "mcp.title", on_load=McpServers.open, place=60)
def mcp_servers() -> list[rx.Component]:
    """Render the section `/admin/mcp-servers`."""
    return [
        error(McpServers),
        refresh(reads=McpServers.reads, on_due=McpServers.refresh),
        rx.cond(
            McpServers.loaded,
            _servers(
                servers=McpServers.servers,
                reach=McpServers.reach,
                added=McpServers.added,
                tested=McpServers.tested,
                on_add=McpServers.add,
                on_test=McpServers.test,
                on_switch=McpServers.switch,
                on_remove=McpServers.remove,
            ),
        ),
    ]
