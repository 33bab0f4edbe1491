"""Serving: the public API over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from agent_core.api.base import ApiBase
from agent_core.store.turns.turns import WhenBusy

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.routing import Mount

    from agent_core.api import AgentApi


class ServingMethods(ApiBase):
    """What only the public API has."""

    def http_app(
        self,
        context: Callable[[Request], Any] | None = None,
        *,
        max_body: int = 32 << 20,
        heartbeat: float = 15.0,
        when_busy: WhenBusy = "end_wait",
    ) -> Starlette:
        """Return an ASGI app that serves these methods over HTTP; `docs/http.md` lists its paths.

        Mount it in an app whose lifespan holds the runtime open. It has no login of its own and no
        CORS headers: `context` says who calls, and `authorization_callback` what they may touch.
        Without a `context` everybody who reaches it is the same nobody and sees every thread.

        Args:
            context: `(request) -> CallContext | None`, sync or async; it raises AccessDeniedError or
                starlette's HTTPException to refuse the caller.
            max_body: the longest body, in bytes.
            heartbeat: seconds of silence after which a stream of events gives a sign of life.
            when_busy: what a message to `/chat` does to a turn under way: "end_wait" closes the calls of
                one that waits for nobody but people, "interrupt" ends any, "reject" none. A request may
                say otherwise.

        Raises:
            ValidationError: `when_busy` is none of the three.
        """
        from agent_core.http import make_app  # Starlette is loaded by those who serve

        return make_app(
            cast("AgentApi", self), context, max_body=max_body, heartbeat=heartbeat, when_busy=when_busy
        )

    def mount(self, path: str, context: Callable[[Request], Any] | None = None, **options: Any) -> Mount:
        """Return a Starlette route that serves `http_app` below a path.

        Starlette's own `Mount` passes over a path in which an id has a line break, and what answers such
        a request then is whatever stands outside; here it is the app, in JSON.

        Args:
            path: such as "/agents".
            context: as in `http_app`.
            options: the others of `http_app`.
        """
        from agent_core.http import mount_app

        return mount_app(path, self.http_app(context, **options))
