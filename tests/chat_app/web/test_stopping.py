"""Test that open requests end when the process is asked to stop, in this process and in a real server."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from agent_core.http.sse import EventStream
from agent_core.testing import eventually
from chat_app.web import stopping
from chat_app.web.stopping import EndAtStop
from tests.support.servers.app_server import app_server
from tests.support.servers.http_server import served


class Site:
    """An app with requests that do not end by themselves."""

    def __init__(self) -> None:
        self.open: list[str] = []
        self.over: list[str] = []

    @contextlib.contextmanager
    def _serving(self, name: str) -> Any:
        self.open.append(name)
        try:
            yield
        finally:
            self.over.append(name)

    async def events(self, request: Request) -> Response:
        """Stream one event, and then nothing for ever."""

        async def texts() -> AsyncGenerator[str]:
            with self._serving("events"):
                yield "data: 1\n\n"
                await asyncio.Event().wait()

        return EventStream(texts(), 60)

    async def stubborn(self, request: Request) -> Response:
        """Stream without looking whether the client has left."""

        async def texts() -> AsyncGenerator[str]:
            with self._serving("stubborn"):
                yield "1"
                await asyncio.Event().wait()

        return StreamingResponse(texts())

    async def waiting(self, request: Request) -> Response:
        """Wait for ever before answering."""
        with self._serving("waiting"):
            await asyncio.Event().wait()
        raise AssertionError("never")

    async def upload(self, request: Request) -> Response:
        """Answer with the size of the body."""
        self.open.append("upload")
        return PlainTextResponse(str(len(await request.body())))


@contextlib.asynccontextmanager
async def lifespan_of(app: EndAtStop) -> AsyncGenerator[None]:
    """Run the lifespan of an app as a server does."""
    inbox, started, ended = asyncio.Queue[Any](), asyncio.Event(), asyncio.Event()
    by_type = {"lifespan.startup.complete": started, "lifespan.shutdown.complete": ended}

    async def send(message: Any) -> None:
        by_type[message["type"]].set()

    running = asyncio.create_task(app({"type": "lifespan"}, inbox.get, send))
    inbox.put_nowait({"type": "lifespan.startup"})
    await started.wait()
    try:
        yield
    finally:
        inbox.put_nowait({"type": "lifespan.shutdown"})
        await ended.wait()
        await running


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_open_requests_end_when_the_process_is_asked_to_stop(
    sent: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "STOP_TIMEOUT", 0.3)
    site, told = Site(), asyncio.Event()
    before = {each: signal.signal(each, lambda *_: told.set()) for each in (signal.SIGTERM, signal.SIGINT)}
    app = EndAtStop(
        Starlette(
            routes=[
                *(Route(f"/{name}", getattr(site, name)) for name in ("events", "stubborn", "waiting")),
                Route("/upload", site.upload, methods=["POST"]),
            ]
        )
    )
    try:
        async with served(app) as client, lifespan_of(app):
            asking = [
                *(asyncio.create_task(client.get(f"/{name}")) for name in ("events", "stubborn", "waiting")),
            ]
            reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
            writer.write(b"POST /upload HTTP/1.1\r\nHost: here\r\nContent-Length: 6\r\n\r\none")
            await eventually(lambda: len(site.open) == 4)
            signal.raise_signal(sent)
            writer.write(b"two")
            events, stubborn, refused = await asyncio.gather(*asking, return_exceptions=True)
            uploaded = await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(1)
            writer.close()
        for broken in (events, stubborn):  # so that no client takes the end for that of an answer
            assert isinstance(broken, httpx.TransportError)
        assert isinstance(refused, httpx.Response)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert uploaded.startswith(b"HTTP/1.1 200")
        assert uploaded.endswith(b"6")
        assert sorted(site.over) == ["events", "stubborn", "waiting"]
        assert told.is_set(), "uvicorn, which had a handler before, has told the one before it"
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


async def test_server_with_open_streams_and_requests_ends_at_sigterm(tmp_path: Path) -> None:
    async with app_server(tmp_path) as server, httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        thread = (await client.post("/api/threads", json={})).json()["id"]
        chat = {"model": "assistant", "messages": [{"role": "user", "content": "Write 400 words"}]}
        asking = asyncio.create_task(client.post("/v1/chat/completions", json=chat))

        async def begun() -> bool:
            listed = (await client.get("/api/threads")).json()["threads"]
            return any(one["status"] == "streaming" for one in listed)

        await eventually(begun, 60)
        async with client.stream("GET", f"/api/threads/{thread}/events") as events:
            lines = events.aiter_lines()
            assert (await anext(lines)).startswith("id: ")
            assert server.process is not None
            server.process.terminate()
            with pytest.raises(
                httpx.RemoteProtocolError
            ):  # so that no client takes the end for that of an answer
                async for _ in lines:
                    pass
        refused = await asking
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "server_stopping"
        assert await asyncio.to_thread(server.process.wait, 60) == 0
