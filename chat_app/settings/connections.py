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

_NAMELESS = ("expired", "gone")
_OUTCOMES = ("connected", "denied", "other", "failed", "unreachable", *_NAMELESS)
"""Outcomes of a sign-in at an MCP server, as the redirect back to this page names them; see `chat_app.api.connect_routes`."""


class Connections(ApiCaller, rx.State):
    """State with the servers at which people sign in, and whether this person has.

    Attributes:
        servers: `name` and `connected` of each.
        outcome: how the sign-in ended from which the browser has come back, or "".
        server: the name of its server, or "".
    """

    servers: list[dict[str, Any]] = []
    outcome: str = ""
    server: str = ""

    @rx.event
    async def open(self):
        """Read the servers, and how a sign-in has ended."""
        await self._read()
        given = self.router.url.query_parameters
        outcome, name = given.get("connection", ""), given.get("server", "")
        known = {each["name"]: each["connected"] for each in self.servers}
        # Anybody can write such an address, and it may be opened again later.
        is_true = known.get(name) is (outcome == "connected") or outcome in _NAMELESS
        self.outcome = outcome if outcome in _OUTCOMES and is_true else ""
        self.server = name if name in known else ""

    async def _read(self) -> None:
        try:
            ctx = self._ctx()
            found = await service().mcp_servers.connections(ctx.user_id if ctx else None)
        except AgentCoreError:
            found = {}
        self.servers = [{"name": name, "connected": connected} for name, connected in found.items()]

    @rx.event
    async def disconnect(self, name: str):
        """Remove what this person has from signing in at a server."""
        self.outcome = ""
        try:
            ctx = self._ctx()
            await service().mcp_servers.disconnect(name, ctx.user_id if ctx else None)
        except AgentCoreError:
            return
        await self._read()


def connection_notice() -> rx.Component:
    """Render how the sign-in ended from which the browser has come back; nothing otherwise."""
    name = Connections.server
    words = rx.match(
        Connections.outcome,
        ("connected", say("mcp.outcome_connected", name=name)),
        ("denied", say("mcp.outcome_denied", name=name)),
        ("other", say("mcp.outcome_another_person", name=name)),
        ("failed", say("mcp.outcome_failed", name=name)),
        ("unreachable", say("mcp.outcome_unreachable", name=name)),
        ("expired", say("mcp.outcome_expired")),
        say("mcp.outcome_gone"),
    )
    tone = rx.match(
        Connections.outcome, ("connected", "ok"), ("failed", "error"), ("unreachable", "error"), "wait"
    )
    return rx.cond(
        Connections.outcome != "",
        rx.el.p(
            words,
            class_name="callout",
            role=rx.cond(Connections.outcome == "connected", "status", "alert"),
            custom_attrs=testid("connection-outcome", outcome=Connections.outcome, tone=tone),
        ),
    )


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
        rx.el.p(
            rx.el.span(name, dir="auto"),
            rx.cond(server["connected"], rx.el.span(say("mcp.connected"), class_name="mcp-status connected")),
            class_name="connection",
        ),
        rx.cond(
            server["connected"],
            rx.el.button(
                say("mcp.disconnect_short"),
                type="button",
                aria_label=say("mcp.disconnect", name=name),
                on_click=Connections.disconnect(name),
                class_name="button danger",
                custom_attrs=testid("mcp-disconnect"),
            ),
            connect_link(server=name, short=True),
        ),
        key=name,
    )
