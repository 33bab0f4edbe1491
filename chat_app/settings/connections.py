"""Section of the settings with the MCP servers at which a person signs in."""

# Reflex makes the attributes of a Var and the children of a component when the page is compiled.
# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false

from __future__ import annotations

from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.i18n import say
from chat_app.session.service import ApiCaller, service
from chat_app.tools.person_cards import connect_link
from chat_app.ui.controls import testid
from chat_app.ui.page_column import section


class Connections(ApiCaller, rx.State):
    """State with the servers at which people sign in, and whether this person has.

    Attributes:
        servers: `name` and `connected` of each.
    """

    servers: list[dict[str, Any]] = []

    @rx.event
    async def open(self):
        """Read the servers."""
        try:
            ctx = self._ctx()
            found = await service().mcp_servers.connections(ctx.user_id if ctx else None)
        except AgentCoreError:
            found = {}
        self.servers = [{"name": name, "connected": connected} for name, connected in found.items()]

    @rx.event
    async def disconnect(self, name: str):
        """Remove what this person has from signing in at a server."""
        try:
            ctx = self._ctx()
            await service().mcp_servers.disconnect(name, ctx.user_id if ctx else None)
        except AgentCoreError:
            return
        await self.open()


def connections_section() -> rx.Component:
    """Render the section; nothing without such a server."""
    return rx.cond(
        Connections.servers.length() > 0,
        section(
            say("mcp.connections"),
            rx.el.p(say("mcp.connections_about"), class_name="field-note"),
            rx.el.ul(rx.foreach(Connections.servers, _row), class_name="api-keys"),
            name="connections",
        ),
    )


def _row(server: rx.Var[dict[str, Any]]) -> rx.Component:
    name = server["name"].to(str)
    return rx.el.li(
        rx.el.span(name, dir="auto"),
        rx.cond(
            server["connected"],
            rx.el.button(
                say("mcp.disconnect", name=name),
                type="button",
                on_click=Connections.disconnect(name),
                class_name="button danger",
                custom_attrs=testid("mcp-disconnect"),
            ),
            connect_link(server=name),
        ),
        key=name,
    )
