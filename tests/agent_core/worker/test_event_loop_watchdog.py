"""Event loop watchdog: blocking code is noticed and named, and slow work is not taken over."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime
from agent_core.support.settings import Settings
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import agent_on, finished, rows, runtime_of, texts, tool_parts

BRISK = Settings(lease=1.6, heartbeat=0.1, poll=0.1, reconcile=0.1, pulse=0.05, stall=0.3)


class Rival:
    """Second worker on the same database, with its own event loop."""

    def __init__(self, path: Path, tools: list[Any]) -> None:
        self._path, self._tools = path, tools
        self._ready, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work()))

    async def _work(self) -> None:
        async with agent_on(self._path, lambda _: ["From the rival."], settings=BRISK, tools=self._tools):
            self._ready.set()
            await asyncio.to_thread(self._done.wait)

    async def __aenter__(self) -> Rival:
        self._thread.start()
        await asyncio.to_thread(self._ready.wait, 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._done.set()
        await asyncio.to_thread(self._thread.join)


async def test_a_tool_that_blocks_is_named_and_keeps_its_lease(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[int] = []

    @action_tool(retry=True)
    async def sleepy() -> str:
        """Block the event loop for longer than its lease."""
        ran.append(1)
        time.sleep(2.0)
        return "slept"

    turns = [[ToolUse("sleepy")], ["Well."]]
    async with agent_on(path, turns, settings=BRISK, tools=[sleepy]) as api, Rival(path, [sleepy]):
        thread = await api.create_thread("Go")
        await finished(api, thread)
        assert (await texts(api, thread))[-1] == "Well."
        assert [part["output"] for part in await tool_parts(api, thread)] == ["slept"]
        await eventually(lambda: "runs again" in caplog.text)
    assert ran == [1], "a rival took over what was only slow"
    told = [r.getMessage() for r in caplog.records if "has been blocked" in r.getMessage()]
    told = [words for words in told if "time.sleep(2.0)" in words]  # the machine may have paused, too
    assert len(told) == 1, "once for each stall"
    assert "the tool 'sleepy' (tool:thread_" in told[0]


async def test_a_step_that_blocks_is_named(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def slow(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        time.sleep(0.8)
        return messages

    async with agent_on(path, [["Well."]], settings=BRISK, transform_messages=slow) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert thread.status == "completed"
        await eventually(lambda: "runs again" in caplog.text)
    assert f"by the task 'step:{thread.id}'" in caplog.text
    assert "time.sleep(0.8)" in caplog.text


async def test_waiting_and_threaded_tools_are_not_called_blocking(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @action_tool
    def sleepy() -> str:
        """Sleep in a thread of its own."""
        time.sleep(1)
        return "slept"

    model = ScriptedModel([[ToolUse("sleepy")], [1.0, "Well."]])
    async with agent_on(path, model, settings=BRISK, tools=[sleepy]) as api:
        assert (await finished(api, await api.create_thread("Go"))).status == "completed"
    assert "time.sleep(1)" not in caplog.text


async def test_watchdog_ends_with_the_runtime(path: Path) -> None:
    def watching() -> int:
        return sum(thread.name == "agent_core-stalls" for thread in threading.enumerate())

    before = watching()
    async with agent_on(path, [], settings=Settings(stall=0.1)) as api:
        assert isinstance(runtime_of(api), Runtime)
        assert watching() == before + 1
    await eventually(lambda: watching() <= before)
    assert rows(path)["agent_wake_up"] == []
