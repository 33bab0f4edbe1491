"""Who is asking: every call that a page makes is made in that person's name."""

from __future__ import annotations

import reflex as rx

from agent_core import AgentApi, CallContext
from agent_core.errors import AccessDeniedError
from chat_app.extensions import caller
from chat_app.state.calling import calling
from chat_app.state.people import NO_ONE, Lists
from chat_app.state.service import service


class Asking(rx.State, mixin=True):
    """What a state needs in order to call the API; its helpers are private, so no browser can call them."""

    def _ctx(self) -> CallContext | None:
        """Return who has this tab open; None where the app knows no people.

        Raises:
            AccessDeniedError: nobody is signed in.
        """
        return caller(self.router.headers.raw_headers)

    def _api(self) -> AgentApi:
        """Return the API as this person calls it.

        Raises:
            AccessDeniedError: nobody is signed in.
        """
        return calling(service().api, self._ctx())

    def _lists(self) -> Lists:
        """Return the lists of this person's threads; empty ones if nobody is signed in."""
        try:
            ctx = self._ctx()
        except AccessDeniedError:
            ctx = NO_ONE
        return service().lists(ctx)
