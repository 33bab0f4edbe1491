"""Whose tab this is: what it holds for one person never goes out to the next."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState

from agent_core.errors import AccessDeniedError
from chat_app.extensions import IDENTITY, caller


class Visitor(rx.State):
    """Who has had this tab open."""

    _name: str | None = None


class Visitors(Middleware):
    """Empties the state of a tab before anything is done in it for somebody else.

    A tab keeps its state when another person signs in, and Reflex sends all of it when a page loads,
    before any of our handlers is asked.
    """

    async def preprocess(self, app: rx.App, state: BaseState, event: Any) -> None:
        """Look at who asks, before each event; nothing where the app knows no people."""
        if not IDENTITY:
            return
        root = state._get_root_state()
        try:
            ctx = caller(root.router.headers.raw_headers)  # pyright: ignore[reportAttributeAccessIssue]
        except AccessDeniedError:
            ctx = None
        name = ctx.user_id if ctx else ""
        visitor = await root.get_state(Visitor)
        if visitor._name not in (None, name):
            root.reset()
        visitor._name = name
