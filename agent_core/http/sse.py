"""Stream server-sent events: the updates of a thread, and the response of every stream.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agent_core.agent import CallContext
from agent_core.errors import AgentCoreError, ThreadNotFoundError, ValidationError
from agent_core.http.requests import count, query_of
from agent_core.sentences import sentence
from agent_core.support.logs import get_logger

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_log = get_logger(__name__)
_HEARTBEAT = ":\n\n"
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # nginx would buffer the stream
}


class EventStream(Response):
    """Response that sends events as they arrive, until they end or the client disconnects.

    Args:
        events: the framed events; closed as soon as the client has disconnected.
        heartbeat: seconds without an event after which a comment is sent, so that proxies keep the connection.
        headers: additional headers.
    """

    def __init__(
        self, events: AsyncGenerator[str], heartbeat: float, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(headers={**_HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._events = events
        self._heartbeat = heartbeat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, and watch for a disconnect, which a stream without events would not notice."""
        if scope["method"] == "HEAD":
            await self._events.aclose()
            await super().__call__(scope, receive, send)
            return
        writing = asyncio.create_task(self._write(send))
        leaving = asyncio.create_task(client_left(receive))
        try:
            await asyncio.wait({writing, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, leaving):
                task.cancel()
            ends = await asyncio.gather(writing, leaving, return_exceptions=True)
            await self._events.aclose()
        if isinstance(ends[0], Exception) and not isinstance(ends[0], OSError):
            _log.error("A stream of events failed; the response ends early.", exc_info=ends[0])

    async def _write(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for text in _with_heartbeat(self._events, self._heartbeat):
            await send(
                {"type": "http.response.body", "body": text.encode(errors="replace"), "more_body": True}
            )
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _with_heartbeat(events: AsyncGenerator[str], seconds: float) -> AsyncGenerator[str]:
    upcoming: asyncio.Task[str | None] | None = None
    try:
        while True:
            upcoming = upcoming or asyncio.create_task(_next(events))
            done, _ = await asyncio.wait({upcoming}, timeout=seconds)
            if not done:
                yield _HEARTBEAT
                continue
            text, upcoming = upcoming.result(), None
            if text is None:
                return
            yield text
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)


async def _next(events: AsyncGenerator[str]) -> str | None:
    return await anext(events, None)


async def client_left(receive: Receive) -> None:
    """Wait until the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def thread_events(
    api: AgentApi, request: Request, ctx: CallContext | None, heartbeat: float
) -> Response:
    """Return the updates of a thread as events: `id` is the cursor, `event` the type.

    A client that reconnects sends the last cursor it has read in Last-Event-ID (or `?cursor=`).

    Raises:
        ThreadNotFoundError, AccessDeniedError, ValidationError: nothing was sent.
    """
    thread_id: str = request.path_params["thread_id"]
    asked = query_of(request, limit=count, cursor=count)
    if asked.get("limit") == 0:
        raise ValidationError("limit must be at least 1.")
    cursor = _last_event_id(request, asked.get("cursor"))
    if await api.get_thread(thread_id, ctx=ctx) is None:
        raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
    return EventStream(_updates(api, thread_id, cursor, asked.get("limit"), ctx), heartbeat)


def _last_event_id(request: Request, cursor: int | None) -> int | None:
    given = request.headers.get("last-event-id")
    with contextlib.suppress(ValueError):  # an id of another server: the stream begins with a snapshot
        return count(given) if given else cursor
    return None


async def _updates(
    api: AgentApi, thread_id: str, cursor: int | None, limit: int | None, ctx: CallContext | None
) -> AsyncGenerator[str]:
    updates = api.subscribe(thread_id, cursor, limit=limit, ctx=ctx)
    try:
        async with contextlib.aclosing(updates):
            async for update in updates:
                yield framed(update.to_dict(), event=update.type, name=str(update.cursor))
    except AgentCoreError as error:  # after the headers: deleted, or no longer authorized
        _log.info("The event stream of the thread %s ends: %s", thread_id, error)


_LINES = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"})
"""Characters that end a line for some readers (httpx, Python's splitlines), but not in the standard."""


def framed(data: object, *, event: str | None = None, name: str | None = None) -> str:
    """Return an event; its data is one line, because JSON escapes line breaks."""
    head = (f"id: {name}\n" if name is not None else "") + (f"event: {event}\n" if event is not None else "")
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"{head}data: {text if text.isascii() else text.translate(_LINES)}\n\n"
