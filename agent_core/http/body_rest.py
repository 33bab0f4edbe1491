"""Middleware that reads the rest of a request's body before its response begins.

A request may be refused before its body is read: its path is unknown, its key is wrong, its body is too long. A server
then closes the connection, and what the client still sends resets it: many clients, OpenAI's among them, report a
broken connection in place of the refusal, and send the request again.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_REST = 128 << 20
"""Bytes that are read of a rest."""
REST_TIMEOUT = 5.0
"""Seconds that a rest may take; a response is sent then, whether its client can read it or not."""


class BodyRest:
    """Middleware that reads the rest of each request's body, up to `MAX_REST` and `REST_TIMEOUT`.

    A request with `Expect: 100-continue` is not read: its client waits for the response before it sends the body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and read what the app leaves of its body."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = _Body(receive)

        async def read_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.finish()
            await send(message)

        await self._app(scope, body.receive, read_and_send)


class _Body:
    """Body of one request."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_read = False
        self._is_receiving = False

    async def receive(self) -> Message:
        """Return the next message of the request."""
        self._is_receiving = True
        try:
            message = await self._receive()
        finally:
            self._is_receiving = False
        self._is_read = not message.get("more_body", False)
        return message

    async def finish(self) -> None:
        """Read the rest, unless the app does: a stream listens for the end of its client meanwhile."""
        size = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_TIMEOUT):
                while not self._is_read and not self._is_receiving and size <= MAX_REST:
                    size += len((await self.receive()).get("body", b""))


def _has_body(headers: Headers) -> bool:
    announced = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    return announced and headers.get("expect", "").lower() != "100-continue"
