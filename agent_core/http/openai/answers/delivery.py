"""Deliver answers: once they are complete, or as an event stream. A turn continues when its client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent_core.agent import CallContext
from agent_core.errors import AccessDeniedError, ThreadNotFoundError
from agent_core.http.openai.answers.outcome import Outcome, is_alone, stopping
from agent_core.http.openai.errors import refusal
from agent_core.http.openai.turns import Place
from agent_core.http.sse import client_left

if TYPE_CHECKING:
    from agent_core.api import AgentApi


class LateResponse(Response):
    """Response that is made while its client waits, and given up when the client leaves.

    Args:
        request: the request.
        make: makes the response.
    """

    def __init__(self, request: Request, make: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._request = request
        self._make = make

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make and send the response, unless the client leaves."""
        making = asyncio.ensure_future(self._made())
        leaving = asyncio.create_task(client_left(receive))
        try:
            await asyncio.wait({making, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (making, leaving):
                task.cancel()
            made, _ = await asyncio.gather(making, leaving, return_exceptions=True)
        if not isinstance(
            made, Response
        ):  # a server that stops says that the client has left, and still answers it
            made = refusal(self._request, stopping())
        await made(scope, receive, send)

    async def _made(self) -> Response:
        try:
            return await self._make()
        except Exception as error:
            return refusal(self._request, error)


async def forget(api: AgentApi, place: Place, outcome: Outcome, ctx: CallContext | None) -> None:
    """Delete the thread of a delivered answer if its request said so, and the thread has nothing else."""
    if place.about.get("store") is not False or not outcome.is_over:
        return
    try:
        if await is_alone(api, place, outcome, ctx):
            await api.delete_thread(place.thread_id, ctx=ctx)
    except (ThreadNotFoundError, AccessDeniedError):  # somebody else has deleted it
        return


def tokens(outcome: Outcome) -> Callable[[str], int]:
    """Return a function from the name of a count to the count."""
    usage: Any = outcome.usage
    return lambda name: int(usage.get(name) or 0)
