"""A real server on loopback for the tests of the HTTP API, and readers of event streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import uvicorn
from starlette.applications import Starlette

from agent_core import Agent, AgentApi, Runtime, StreamingOptions, define_agent_api
from agent_core.streaming.fold import ThreadView
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, eventually
from tests.support.agents import AT_ONCE
from tests.support.databases import prepare, url


class _Server(uvicorn.Server):
    """A uvicorn server without ticks of a tenth of a second, for which every test would wait at its end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.over = asyncio.Event()

    async def main_loop(self) -> None:
        """Serve until the server is asked to exit."""
        await self.on_tick(0)  # for the date in the headers
        await self.over.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close sockets and connections; cancel requests that a lost client does not end within a second."""
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        if self.server_state.tasks:
            _, late = await asyncio.wait(set(self.server_state.tasks), timeout=1)
            for task in late:
                task.cancel()


@contextlib.asynccontextmanager
async def served(app: Any) -> AsyncGenerator[httpx.AsyncClient]:
    """Serve an ASGI app with uvicorn on a free port, and yield a client for it."""
    # With an explicit protocol, asyncio sends small packets at once; otherwise each waits 40 ms for an ACK.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = _Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="warning"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await eventually(lambda: server.started)
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
                yield client
        finally:
            server.over.set()
            await serving


@dataclass(frozen=True)
class Event:
    """One server-sent event."""

    data: Any
    id: str | None = None
    type: str | None = None


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """Yield server-sent events as a browser reads them; comments are skipped."""
    found: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line == "":
            if "data" in found:
                text = found["data"]
                data = text if text == "[DONE]" else json.loads(text)
                yield Event(data, found.get("id"), found.get("event"))
            found = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            found[name] = value.removeprefix(" ")


@contextlib.asynccontextmanager
async def serving(
    path: Path,
    turns: Any,
    *,
    tools: Sequence[Any] = (),
    throttle_ms: int = 1,
    mounted: str = "",
    settings: Settings | None = None,
    **options: Any,
) -> AsyncGenerator[tuple[httpx.AsyncClient, AgentApi]]:
    """Serve an agent's public API on a database (see `databases`), and yield a client and the API."""
    prepare(path)
    model = turns if isinstance(turns, ScriptedModel) else ScriptedModel(turns)
    async with Runtime(url(path), settings=settings) as runtime:
        agent = Agent(
            "assistant",
            model,
            tools=list(tools),
            save_stream_deltas=StreamingOptions(throttle_ms=throttle_ms),
            retry=AT_ONCE,
        )
        api = define_agent_api(runtime, agent)
        app = api.http_app(**options)
        if mounted:
            app = Starlette(routes=[api.mount(mounted, **options)])
        async with served(app) as client:
            client.base_url = client.base_url.join(mounted)
            yield client, api
    assert not model.violations, model.violations


class Page:
    """A page that follows a thread from the events on the wire."""

    def __init__(self) -> None:
        self.view = ThreadView()
        self.cursors: list[int] = []
        self.types: list[str] = []

    def take(self, event: Event) -> None:
        """Apply one event."""
        assert event.type == event.data["type"]
        assert event.id == str(event.data["cursor"])
        self.types.append(event.data["type"])
        self.cursors.append(event.data["cursor"])
        self.view.apply(_update(event.data))


def _update(data: dict[str, Any]) -> Any:
    thread, messages = data["thread"], data["messages"]
    return SimpleNamespace(
        **{name: data[name] for name in ("type", "cursor", "seq", "message_id", "chunks")},
        thread=thread and SimpleNamespace(to_dict=lambda: thread),
        messages=[SimpleNamespace(id=one["id"], to_dict=lambda one=one: one) for one in messages],
    )
