"""Test `/mcp` with the client of the MCP library: agents are tools, and answers survive a lost connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from chat_app.api import mcp as endpoint
from chat_app.api.mount import routes
from tests.chat_app.support import Serve
from tests.support.servers.http_server import served


@async_tool
async def ask_human(question: str) -> None:
    """Ask a person."""


@action_tool
async def slow() -> str:
    """Work for longer than the interval of progress."""
    await asyncio.sleep(1.2)
    return "done"


@asynccontextmanager
async def client(url: str, key: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as found,
    ):
        yield found


async def test_agent_is_a_tool_that_remembers_and_answers_each_message_once(serve: Serve) -> None:
    turns = [
        ["Hello."],
        [ToolUse("slow", {})],
        ["It is done."],
        [ToolUse("ask_human", {"question": "Well?"})],
    ]
    async with serve(turns, {"slow": slow, "ask_human": ask_human}) as shared, served(routes) as web:
        key = (await shared.keys.create("k", "write", None, None)).secret
        async with client(str(web.base_url).rstrip("/"), key) as agent:
            (tool,) = (await agent.list_tools()).tools
            assert (tool.name, tool.input_schema["required"]) == ("assistant", ["message"])
            first = {"message": "Hi", "thread_id": "t", "message_id": "m"}
            calls = [agent.call_tool("assistant", first) for _ in range(3)]
            for answer in (*await asyncio.gather(*calls), await agent.call_tool("assistant", first)):
                found = {"thread_id": "t", "status": "completed", "text": "Hello."}
                assert answer.structured_content == found
            seen: list[float] = []

            async def note(progress: float, total: float | None, message: str | None) -> None:
                seen.append(progress)

            more = {"message": "Work", "thread_id": "t"}
            answer = await agent.call_tool("assistant", more, progress_callback=note)
            assert answer.structured_content == {
                "thread_id": "t",
                "status": "completed",
                "text": "It is done.",
            }
            assert seen
            assert len(await shared.api.list_messages("t")) == 4
            waits = await agent.call_tool("assistant", {"message": "Ask", "thread_id": "t"})
            assert (waits.structured_content or {})["status"] == "awaiting_tool_results"
            for name, given in (
                ("nobody", {"message": "Hi"}),
                ("assistant", {}),
                ("assistant", {"message": ""}),
            ):
                assert (await agent.call_tool(name, given)).is_error
            assert (await agent.call_tool("assistant", {"message": "Hi", "thread_id": "a:b"})).is_error


async def test_answer_of_a_call_whose_client_has_gone_is_fetched_by_the_same_call(serve: Serve) -> None:
    async with serve([["Slow ", 1.0, "but sure."]]) as shared, served(routes) as web:
        url, key = str(web.base_url).rstrip("/"), (await shared.keys.create("k", "write", None, None)).secret
        given = {"message": "Hi", "thread_id": "t", "message_id": "m"}
        async with client(url, key) as agent:
            calling = asyncio.create_task(agent.call_tool("assistant", given))
            await eventually(lambda: shared.api.get_thread("t"))
            calling.cancel()
            await asyncio.wait({calling})
        async with client(url, key) as agent:
            answer = (await agent.call_tool("assistant", given)).structured_content
        assert answer == {"thread_id": "t", "status": "completed", "text": "Slow but sure."}
        assert len(await shared.api.list_messages("t")) == 2


async def test_wrong_keys_and_a_missing_package_are_said(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve([]) as shared, served(routes) as web:
        read = (await shared.keys.create("k", "read", None, None)).secret
        for key, status in (("rda_wrong", 401), (read, 403)):
            headers = {"Authorization": f"Bearer {key}"}
            assert (await web.post("/mcp", json={}, headers=headers)).status_code == status
        monkeypatch.setattr(endpoint.importlib.util, "find_spec", lambda _: None)
        refused: httpx.Response = await web.post("/mcp", json={})
        assert (refused.status_code, "[mcp]" in refused.text) == (501, True)
