"""Servers of OpenAI's paths on loopback: in the process of a test, or in one that a test kills."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from openai import AsyncOpenAI
from starlette.applications import Starlette
from starlette.routing import Mount

from agent_core import Agent, Runtime, StreamingOptions, action_tool, define_agent_api
from agent_core.public_api import PublicAgentApi
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.agents import AT_ONCE
from tests.support.databases import prepare, url
from tests.support.processes.children import FORKED
from tests.support.servers.http_server import served

WORDS = [f"word{number} " for number in range(12)]
"""Words of a slow answer."""


@action_tool(retry=AT_ONCE)
async def look(n: int) -> str:
    """Look."""
    return f"seen {n}"


@action_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@contextlib.asynccontextmanager
async def serving_openai(
    path: Path, turns: Any, *, authorize: Any = None, **options: Any
) -> AsyncGenerator[tuple[AsyncOpenAI, PublicAgentApi, httpx.AsyncClient]]:
    """Serve an agent; yield OpenAI's client, the API and a plain client."""
    prepare(path)
    model = turns if isinstance(turns, ScriptedModel) else ScriptedModel(turns)
    async with Runtime(url(path)) as runtime:
        streaming = StreamingOptions(throttle_ms=1)
        tools = [look, pay]
        agent = Agent("assistant", model, tools=tools, save_stream_deltas=streaming, retry=AT_ONCE)
        api = define_agent_api(runtime, agent, authorize)
        async with served(Starlette(routes=[Mount("/v1", api.openai_app(**options))])) as client:
            client.base_url = client.base_url.join("/v1")
            async with AsyncOpenAI(base_url=str(client.base_url), api_key="key", max_retries=0) as ai:
                yield ai, api, client


class ServerProcess:
    """A server in a process of its own, which can be killed and started again at the same address."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/v1"
        self.api = f"http://127.0.0.1:{self._port}/api"
        self._child: Any = None

    async def start(self) -> None:
        """Start the server and wait until it answers."""
        self._child = FORKED.Process(target=_serve, args=(self._path, self._port))
        self._child.start()

        async def answers() -> bool:
            with contextlib.suppress(httpx.HTTPError):
                async with httpx.AsyncClient(trust_env=False) as client:
                    return (await client.get(f"{self.url}/models")).status_code == 200
            return False

        await eventually(answers, 60)

    def kill(self) -> None:
        """Kill the server with SIGKILL."""
        self._child.kill()
        self._child.join()


def _serve(path: Path, port: int) -> None:
    runtime = Runtime(url(path))
    model = ScriptedModel(_turn)
    streaming = StreamingOptions(throttle_ms=10)
    agent = Agent("assistant", model, tools=[look], save_stream_deltas=streaming, retry=AT_ONCE)
    api = define_agent_api(runtime, agent)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with runtime:
            yield

    routes = [Mount("/v1", api.openai_app(heartbeat=0.2)), Mount("/api", api.http_app())]
    app = Starlette(routes=routes, lifespan=lifespan)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="critical")


def _turn(messages: list[dict[str, Any]]) -> Any:
    """Answer by the last message: slow answers, a tool, pictures, an error, or its text."""
    content = messages[-1]["content"]
    if content == "weather":
        return [ToolUse("weather", {"city": "Rome"})]
    if messages[-1]["role"] == "tool" and content != "slow":
        return [f"It has {content}."]
    pictures = [part for part in content if part["type"] == "image_url"] if isinstance(content, list) else []
    if pictures:
        return [f"{len(pictures)} picture, {pictures[0]['image_url']['url'][:22]}"]
    if isinstance(content, str) and content.startswith("{"):
        return [content]
    if content == "slow":
        return _slowly(WORDS)
    if content == "look":
        return ["Wait. ", ToolUse("look", {"n": 1})]
    users = sum(message["role"] == "user" for message in messages)
    return [f"{users}: ", json.dumps(content)]


def _slowly(words: list[str]) -> Iterator[Any]:
    for word in words:
        yield word
        yield 0.1
