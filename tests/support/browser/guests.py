"""An extension for tests: a cookie identifies the user, and a page drops the states of other tabs."""

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
        """Identify the user by the name in the cookie."""
        name = SimpleCookie(headers.get("cookie", "")).get("guest")
        return CallContext(name.value) if name else None


class Sleep(rx.State):
    """The effect of time on the states of idle tabs: they expire."""

    @rx.event
    def over(self) -> None:
        """Drop the states of all other tabs."""
        own = EventContext.get()
        manager = own.state_manager
        assert isinstance(manager, StateManagerMemory)
        for _, token in list(manager._token_expires_at.values()):
            if token.ident != own.token:
                manager._purge_token(token)


@register_page("/sleep", title="Sleep", on_load=Sleep.over)
def sleep() -> rx.Component:
    """Confirm that the states were dropped."""
    return rx.el.main("Slept")
