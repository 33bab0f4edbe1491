"""An extension for tests: a cookie may say whose tab it is, and a page may let go what is known of all tabs."""

import os
from collections.abc import Mapping
from http.cookies import SimpleCookie

import reflex as rx
from reflex.istate.manager.memory import StateManagerMemory
from reflex_base.event.context import EventContext

from agent_core import CallContext
from chat_app.extensions import register_identity, register_page

if os.environ.get("GUESTS"):

    @register_identity
    def by_cookie(headers: Mapping[str, str]) -> CallContext | None:
        """Take the name that the browser gives."""
        name = SimpleCookie(headers.get("cookie", "")).get("guest")
        return CallContext(name.value) if name else None


class Sleep(rx.State):
    """What time does to the states of tabs in which nothing happens."""

    @rx.event
    def over(self) -> None:
        """Let go the states of all other tabs."""
        own = EventContext.get()
        manager = own.state_manager
        assert isinstance(manager, StateManagerMemory)
        for _, token in list(manager._token_expires_at.values()):
            if token.ident != own.token:
                manager._purge_token(token)


@register_page("/sleep", title="Sleep", on_load=Sleep.over)
def sleep() -> rx.Component:
    """Nothing but that it is done."""
    return rx.el.main("Slept")
