"""How a state calls the API: in the name of the person who has its tab open."""

from __future__ import annotations

import reflex as rx

from agent_core import AgentApi, CallContext
from agent_core.errors import AccessDeniedError
from chat_app.extensions import caller
from chat_app.session.bound_api import calling
from chat_app.session.per_user import NO_ONE, Lists
from chat_app.session.service import service


class ApiCaller(rx.State, mixin=True):
    """Base of the states that call the API. Its methods are private: a public one would be an event of the browser."""

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
