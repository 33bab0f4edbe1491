"""Serving: the public API over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from agent_core.api.base import ApiBase

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request

    from agent_core.api import AgentApi


class ServingMethods(ApiBase):
    """What only the public API has."""

    def http_app(
        self,
        context: Callable[[Request], Any] | None = None,
        *,
        max_body: int = 32 << 20,
        heartbeat: float = 15.0,
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
        """
        from agent_core.api.http import make_app  # Starlette is loaded by those who serve

        return make_app(cast("AgentApi", self), context, max_body=max_body, heartbeat=heartbeat)
