"""HTTP server on loopback with scripted answers, in the OpenAI chat dialect.

The server gives the answers that the third-party fake providers cannot give: exact statuses, headers and
bodies, and streams that stall or break at an exact place. It speaks real HTTP to the real client.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from agent_core.llm import close_connections
from tests.support.providers.pairing import complaint, refusal


@dataclass(frozen=True)
class Answer:
    """Answer without streaming: status, headers and body (bytes, or a value to send as JSON)."""

    status: int
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """Streamed answer: dicts are sent as events, bytes unchanged; floats are pauses in seconds.

    `end` is "done" for a proper end, "eof" for an end without [DONE], "drop" for a connection reset.
    """

    events: Sequence[dict[str, Any] | bytes | float]
    end: str = "done"
    content_type: str = "text/event-stream"


class Hang:
    """Never answer."""


class Provider:
    """Running server; `answers` are given one by one, and the last one is repeated.

    A `strict` server refuses the requests that a strict provider would, with the reasons in `violations`.
    """

    def __init__(self, answers: Sequence[Answer | Stream | Hang], strict: bool = True) -> None:
        self.answers = list(answers)
        self.strict = strict
        self.requests: list[dict[str, Any]] = []
        self.violations: list[str] = []
        self.disconnects = 0
        self.port = 0

    @property
    def url(self) -> str:
        """Base URL for an OpenAI client."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close the connection."""
        try:
            path, body = await _read(reader)
            self.requests.append(json.loads(body))
            await self._answer(self._refusal(path, body) or self._next(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.disconnects += 1
        except asyncio.CancelledError:
            pass  # the test is over; asyncio would print a traceback for a cancelled handler
        finally:
            writer.close()

    def _next(self) -> Answer | Stream | Hang:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def _refusal(self, path: str, body: bytes) -> Answer | None:
        if not self.strict or (sentence := complaint(path, body)) is None:
            return None
        self.violations.append(sentence)
        return Answer(400, refusal(sentence))

    async def _answer(self, answer: Answer | Stream | Hang, reader: Any, writer: Any) -> None:
        if isinstance(answer, Answer):
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            headers = {"content-type": "application/json", "content-length": str(len(body)), **answer.headers}
            writer.write(_head(answer.status, headers) + body)
            await writer.drain()
            return
        gone = asyncio.ensure_future(reader.read())
        sending = asyncio.ensure_future(self._send(answer, writer))
        await asyncio.wait([gone, sending], return_when=asyncio.FIRST_COMPLETED)
        # A disconnect may show first as a failed write.
        if not sending.done() or isinstance(sending.exception(), ConnectionError):
            self.disconnects += 1
        for task in (gone, sending):
            task.cancel()
        await asyncio.gather(gone, sending, return_exceptions=True)

    async def _send(self, answer: Stream | Hang, writer: asyncio.StreamWriter) -> None:
        if isinstance(answer, Hang):
            await asyncio.sleep(3600)
            return
        writer.write(_head(200, {"content-type": answer.content_type, "transfer-encoding": "chunked"}))
        for event in answer.events:
            if isinstance(event, float):
                await asyncio.sleep(event)
                continue
            text = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
            writer.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            await writer.drain()
        if answer.end == "drop":
            writer.transport.abort()
            return
        done = b"data: [DONE]\n\n"
        writer.write(
            (f"{len(done):x}\r\n".encode() + done + b"\r\n" if answer.end == "done" else b"") + b"0\r\n\r\n"
        )
        await writer.drain()


@asynccontextmanager
async def provider(*answers: Answer | Stream | Hang, strict: bool = True) -> AsyncIterator[Provider]:
    """Run a provider that gives these answers, and repeats the last one.

    With `strict=False` it accepts the requests that a strict provider refuses, for tests that send them.

    Raises:
        AssertionError: (on exit) a request's calls and outcomes were not paired.
    """
    running = Provider(answers, strict)
    async with listening(running):
        yield running
    assert not running.violations, running.violations


@asynccontextmanager
async def listening(running: Provider) -> AsyncIterator[None]:
    """Let a provider listen on a free loopback port for the block."""
    server = await asyncio.start_server(running.handle, "127.0.0.1", 0)
    running.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        await close_connections()
        server.close()


async def _read(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next(
        line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length")
    )
    return head.split()[1], await reader.readexactly(int(length))


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode()


def delta(content: str | None = None, *, finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return one `chat.completion.chunk`."""
    body = {**({"content": content} if content is not None else {}), **fields}
    choice = {"index": 0, "delta": body, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def usage(prompt: int, completion: int, **details: Any) -> dict[str, Any]:
    """Return the chunk that carries the usage, the last one of a stream."""
    counts = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return {**delta(), "choices": [], "usage": {**counts, **details}}


def call(index: int, name: str | None = None, arguments: str = "", id: str | None = None) -> dict[str, Any]:
    """Return a chunk with a fragment of a tool call."""
    function = {**({"name": name} if name else {}), "arguments": arguments}
    return delta(
        tool_calls=[{"index": index, "function": function, **({"id": id, "type": "function"} if id else {})}]
    )
