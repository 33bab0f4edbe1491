"""Middleware that ends open responses when the process is asked to stop, so that the process can end.

A server waits for its open requests before it ends the lifespan, in which running steps get time to end. A stream
of events has no end, and a request may wait for an answer for minutes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Callable, Generator

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ENDING = (signal.SIGTERM, signal.SIGINT)
STOP_TIMEOUT = 2.0
"""Seconds that a response gets to end by itself: an upload, a file, a short request."""


class EndAtStop:
    """Middleware that tells open requests, at SIGTERM or SIGINT, that their client has left, then cancels them.

    A stream ends at once, and its client asks again, wherever it finds a server. A request that has no answer yet
    gets 503 with `Retry-After`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._stopping: asyncio.Event | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the connection on; the one of the lifespan lasts as long as the process serves."""
        if scope["type"] == "lifespan":
            self._stopping = asyncio.Event()
            with _at_signals(self._stopping.set):
                await self._app(scope, receive, send)
        elif scope["type"] == "http" and self._stopping is not None:
            await _Request(self._app, self._stopping).serve(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class _Request:
    """One request, until its response ends or the process stops."""

    def __init__(self, app: ASGIApp, stopping: asyncio.Event) -> None:
        self._app = app
        self._stopping = stopping
        self._is_received = False
        self._is_answered = False

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request; cancel it if it goes on after the process was asked to stop."""

        async def receive_until_stop() -> Message:
            if not self._is_received:
                message = await receive()
                self._is_received = not message.get("more_body", False)
                return message
            return await _first(receive, self._stopping)

        async def note_and_send(message: Message) -> None:
            self._is_answered = True
            await send(message)

        serving = asyncio.ensure_future(self._app(scope, receive_until_stop, note_and_send))
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({serving}, timeout=STOP_TIMEOUT)
        finally:
            is_late = not serving.done()
            for task in (serving, stopping):
                task.cancel()
            await asyncio.wait({serving})
        if is_late and not self._is_answered:
            await _come_again(scope, receive, send)
        elif not serving.cancelled():
            serving.result()


async def _first(receive: Receive, stopping: asyncio.Event) -> Message:
    """Return the next message, or that of a client that has left as soon as the process stops."""
    arriving, ending = asyncio.ensure_future(receive()), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({arriving, ending}, return_when=asyncio.FIRST_COMPLETED)
        return arriving.result() if arriving.done() else {"type": "http.disconnect"}
    finally:
        arriving.cancel()
        ending.cancel()


async def _come_again(scope: Scope, receive: Receive, send: Send) -> None:
    error = {"type": "HTTPException", "message": "The server is stopping. Send the request again."}
    await JSONResponse({"error": error}, 503, {"Retry-After": "1"})(scope, receive, send)


@contextlib.contextmanager
def _at_signals(action: Callable[[], object]) -> Generator[None]:
    """Run `action` on the event loop at SIGTERM and SIGINT, besides what the server does then.

    A handler of the loop is told by a file descriptor, whatever function Python has for the signal, so replacing
    that function leaves the server's handler in place.
    """
    loop, before = asyncio.get_running_loop(), {}
    if threading.current_thread() is threading.main_thread():
        before = {each: signal.getsignal(each) for each in _ENDING}

    def act(number: int, frame: object) -> None:
        loop.call_soon_threadsafe(action)
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)  # pyright: ignore[reportArgumentType]

    for each in before:
        signal.signal(each, act)
        if hasattr(signal, "siginterrupt"):
            signal.siginterrupt(each, False)
    try:
        yield
    finally:
        for each, previous in before.items():
            if previous is not None:
                signal.signal(each, previous)
