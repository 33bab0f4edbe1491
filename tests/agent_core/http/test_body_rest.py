"""Test that the rest of a body is read before its response.

`tests/chat_app/api/test_openai_clients.py` has the clients that need it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Message

from agent_core.http import body_rest
from agent_core.http.body_rest import BodyRest

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "headers": [(b"content-length", b"9")],
}


class Exchange:
    """A request whose body arrives in pieces, and how its response is sent."""

    def __init__(self, pieces: Sequence[bytes], headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.left = list(pieces)
        self.sent: list[Message] = []
        self._scope = SCOPE | {"headers": [*SCOPE["headers"], *headers]}

    async def run(self, app: Any) -> None:
        """Serve the request."""
        await BodyRest(app)(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        """Return the next piece; wait for ever after the last one."""
        if not self.left:
            await asyncio.Event().wait()
        piece = self.left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.left)}

    async def send(self, message: Message) -> None:
        """Note a message of the response."""
        self.sent.append(message)


REFUSAL = PlainTextResponse("No.", 404)


async def test_the_rest_is_read_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Exchange([b"abc"] * 3)
    await whole.run(REFUSAL)
    assert (whole.left, whole.sent[0]["status"]) == ([], 404)
    monkeypatch.setattr(body_rest, "MAX_REST", 5)
    long = Exchange([b"abc"] * 9)
    await long.run(REFUSAL)
    assert (len(long.left), long.sent[0]["status"]) == (7, 404)
    monkeypatch.setattr(body_rest, "REST_TIMEOUT", 0.01)
    stuck = Exchange([])
    await stuck.run(REFUSAL)
    assert stuck.sent[0]["status"] == 404


async def test_a_client_that_waits_before_its_body_is_not_waited_for() -> None:
    polite = Exchange([b"abc"], [(b"expect", b"100-continue")])
    await polite.run(REFUSAL)
    assert len(polite.left) == 1


async def test_an_app_gets_the_body_and_a_stream_its_listener() -> None:
    async def streamed(scope: Any, receive: Any, send: Any) -> None:
        async def words() -> AsyncGenerator[bytes]:
            yield b"Yes."

        await StreamingResponse(words())(scope, receive, send)

    async def echoed(scope: Any, receive: Any, send: Any) -> None:
        body = await Request(scope, receive).body()
        await PlainTextResponse(body)(scope, receive, send)

    for app, answer in ((streamed, b"Yes."), (echoed, b"abcabc")):
        one = Exchange([b"abc"] * 2)
        await asyncio.wait_for(one.run(app), 4)
        assert b"".join(message.get("body", b"") for message in one.sent) == answer
        assert one.left == []


async def test_other_connections_are_passed_on() -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    for kind in ("lifespan", "websocket"):
        await BodyRest(app)({"type": kind}, Exchange([]).receive, Exchange([]).send)
    assert seen == ["lifespan", "websocket"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(BodyRest(REFUSAL))) as client:
        assert (await client.get("http://here/")).status_code == 404
