"""Test that MCP clients nobody here wrote use the running app's `/mcp` with a key, also when it is killed.

They are the MCP inspector (npm) and the client of Python's SDK.
"""

from __future__ import annotations

import asyncio
import json
import os
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import httpx2
import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agent_core.testing import eventually
from tests.providers.installed import inspector_command
from tests.support.servers.app_server import AppServer, app_server

pytestmark = [pytest.mark.provider, pytest.mark.timeout(300), pytest.mark.asyncio(loop_scope="module")]

WORDS = " ".join(f"word{number}" for number in range(400))


class App(NamedTuple):
    """The running app, a client of its API, and a key."""

    server: AppServer
    web: httpx.AsyncClient
    key: str
    folder: Path

    async def texts(self, thread: str) -> list[str]:
        """Return the texts of a thread's messages."""
        messages = (await self.web.get(f"/api/threads/{thread}/messages")).json()["messages"]
        return ["".join(part.get("text", "") for part in one["parts"]) for one in messages]

    async def is_at(self, thread: str, word: str) -> bool:
        """Return whether the answer of a thread has a word."""
        return f"{word} " in (await self.web.get(f"/api/threads/{thread}/updates")).text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[App]:
    folder = tmp_path_factory.mktemp("served")
    async with (
        app_server(folder) as server,
        httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False) as web,
    ):
        key = (await web.post("/keys", json={"name": "a client", "scope": "write"})).json()["secret"]
        yield App(server, web, key, folder)


async def inspect(app: App, *words: str, key: str | None = None) -> tuple[int, str]:
    """Run the inspector; return its exit code and what it prints."""
    command = await asyncio.to_thread(inspector_command)
    address = (f"{app.server.url}/mcp", "--transport", "http")
    header = ("--header", f"Authorization: Bearer {key or app.key}")
    home = os.environ | {"HOME": str(app.folder)}
    child = await asyncio.create_subprocess_exec(
        *command, "--cli", *address, *words, *header, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL, env=home
    )
    try:
        said, _ = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    assert child.returncode is not None
    return child.returncode, said.decode()


def call(message: str, thread: str) -> list[str]:
    """Return the words of a call that may be repeated."""
    given = {"message": message, "thread_id": thread, "message_id": f"m-{thread}"}
    pairs = [word for name, value in given.items() for word in ("--tool-arg", f"{name}={value}")]
    return ["--method", "tools/call", "--tool-name", "assistant", *pairs]


async def test_inspector_lists_and_calls(app: App) -> None:
    code, listed = await inspect(app, "--method", "tools/list", "--strict")
    assert (code, [tool["name"] for tool in json.loads(listed)["tools"]]) == (0, ["assistant"])
    code, said = await inspect(app, *call("echo: Hello there.", "inspected"))
    answer = {"thread_id": "inspected", "status": "completed", "text": "Hello there."}
    assert (code, json.loads(said)["structuredContent"]) == (0, answer)
    refused, _ = await inspect(app, "--method", "tools/list", key="rda_wrong")
    assert refused != 0


async def test_inspector_gets_the_answer_of_a_call_whose_server_was_killed(app: App) -> None:
    words = call(f"echo: {WORDS}", "killed")
    calling = asyncio.create_task(inspect(app, *words))
    await eventually(lambda: app.is_at("killed", "word9"), 60)
    app.server.kill()
    await app.server.start()
    code, said = await inspect(app, *words)
    calling.cancel()  # it waits a minute for the call that was lost with its connection
    await asyncio.wait({calling})
    assert (code, json.loads(said)["structuredContent"]["text"]) == (0, WORDS)
    assert await app.texts("killed") == [f"echo: {WORDS}", WORDS]


async def test_sdk_reports_progress_and_a_cancelled_call_goes_on(app: App) -> None:
    seen: list[float] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    given: Any = {"message": f"echo: {WORDS}", "thread_id": "cancelled", "message_id": "m"}
    headers = {"Authorization": f"Bearer {app.key}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(f"{app.server.url}/mcp", http_client=http)) as agent,
    ):
        calling = asyncio.create_task(agent.call_tool("assistant", given))
        await eventually(lambda: app.is_at("cancelled", "word9"), 60)
        calling.cancel()
        await asyncio.wait({calling})
        answer = await agent.call_tool("assistant", given, progress_callback=note)
    assert (answer.structured_content or {})["text"] == WORDS
    assert seen == sorted(set(seen))
    assert seen
    assert await app.texts("cancelled") == [f"echo: {WORDS}", WORDS]
