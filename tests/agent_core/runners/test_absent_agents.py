"""Threads whose agent is no longer defined: the reason is shown, and nothing is lost or sealed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api
from agent_core.store.database.sql import THREAD
from agent_core.store.threads import absent_agents
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from agent_core.worker import worker
from tests.support.agents import QUICK, Follower, finished, rows, texts
from tests.support.databases import prepared


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_AGENT_RETRY_INTERVAL", 0.05)
    monkeypatch.setattr(absent_agents, "QUIET", 0.1)


@action_tool(needs_approval=True)
async def ping() -> str:
    """Ping."""
    return "pong"


def answer(messages: list[dict[str, Any]]) -> list[Any]:
    asked = messages[-1]
    return [ToolUse("ping", id="c")] if asked["content"] == "Use it" else ["Well."]


def named(runtime: Runtime, name: str) -> AgentApi:
    return define_internal_agent_api(runtime, Agent(name, ScriptedModel(answer), tools=[ping]))


async def abandoned(path: Path, prompt: str = "Hi") -> str:
    """Create a thread whose agent is renamed before any worker runs it."""
    async with Runtime(prepared(path), work=False) as runtime:
        return (await named(runtime, "old name").create_thread(prompt)).id


async def waiting(api: AgentApi, thread_id: str) -> dict[str, Any]:
    async def state() -> dict[str, Any]:
        thread = await api.get_thread(thread_id)
        assert thread is not None
        return thread.retry_state or {}

    found: dict[str, Any] = await eventually(state)
    return found


async def test_the_reason_is_shown_once_and_gone_when_the_agent_is_back(path: Path) -> None:
    thread_id = await abandoned(path)
    async with Runtime(prepared(path), settings=QUICK) as runtime:
        api = named(runtime, "new name")
        async with Follower(api, thread_id) as follower:
            state = await waiting(api, thread_id)
            assert (state["kind"], state["agent"], state["next_at"]) == ("unknown_agent", "old name", None)
            assert "'old name'" in state["error"]
            await follower.until(lambda _: follower.view.thread["retry_state"] == state)
            thread = await api.get_thread(thread_id)
            assert thread is not None
            assert (thread.status, thread.error) == ("streaming", None)
            shown = cursor(path)
            await asyncio.sleep(0.5)
            assert cursor(path) == shown, "it is said once, however often somebody looks"
            named(runtime, "old name")
            done = await finished(api, thread_id)
            assert (done.status, done.retry_state) == ("completed", None)
            await follower.agrees()
        assert await texts(api, thread_id) == ["Hi", "Well."]


def cursor(path: Path) -> int:
    return rows(path)["agent_thread"][0][THREAD.c.keys().index("cursor")]


async def test_another_agent_that_is_chosen_goes_on(path: Path) -> None:
    thread_id = await abandoned(path)
    async with Runtime(prepared(path), settings=QUICK) as runtime:
        api = named(runtime, "new name")
        await waiting(api, thread_id)
        await api.update_thread(thread_id, agent="new name")
        done = await finished(api, thread_id)
        assert (done.status, done.retry_state, done.agent) == ("completed", None, "new name")


async def test_a_stop_ends_the_wait(path: Path) -> None:
    thread_id = await abandoned(path)
    async with Runtime(prepared(path), settings=QUICK) as runtime:
        api = named(runtime, "new name")
        await waiting(api, thread_id)
        stopped = await api.stop_thread(thread_id)
        assert (stopped.status, stopped.retry_state) == ("stopped", None)
        assert not rows(path)["agent_wake_up"]


async def test_a_tool_of_an_agent_that_is_away_waits_for_it(path: Path) -> None:
    async with Runtime(prepared(path), settings=QUICK) as runtime:
        api = named(runtime, "old name")
        thread_id = (await api.create_thread("Use it")).id
        await eventually(lambda: [row for row in rows(path)["agent_tool_call"] if "approval" in row])
    async with Runtime(prepared(path), settings=QUICK) as runtime:
        api = named(runtime, "new name")
        await api.approve_tool_calls(thread_id, ["c"])
        state = await waiting(api, thread_id)
        assert state["kind"] == "unknown_agent"
        thread = await api.get_thread(thread_id)
        assert thread is not None
        assert thread.status == "awaiting_tool_results"
        named(runtime, "old name")
        async with Follower(api, thread_id) as follower:
            done = await finished(api, thread_id)
            assert (done.status, done.retry_state) == ("completed", None)
            await follower.agrees()
