"""Clock jumps of a day ahead and a day back, while work runs, waits and is scheduled."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, every
from agent_core.errors import ModelError
from agent_core.support.ids import new_id
from agent_core.testing import FakeClock, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import QUICK, agent_on, finished, rows, texts, tool_parts
from tests.support.schedules import ran, wake_ups

NOON = 1_750_000_000.0
DAY = 86_400.0
JUMPS = [DAY, -DAY]
FAST = replace(QUICK, heartbeat=0.05, poll=0.05, reconcile=0.05)
A_WHILE = 0.3  # seconds: several polls, heartbeats and rounds of the reconciler


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.mark.parametrize("jump", JUMPS)
async def test_clock_jump_while_a_step_and_a_tool_run_repeats_nothing(
    path: Path, clock: FakeClock, jump: float
) -> None:
    """The worker's own leases seem expired or far off, yet nothing is done twice and nothing stalls."""
    asked, ran_tool = 0, 0
    go = asyncio.Event()

    @action_tool
    async def slow() -> str:
        """Wait."""
        nonlocal ran_tool
        ran_tool += 1
        await go.wait()
        return "done"

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        nonlocal asked
        asked += 1
        if messages[-1]["role"] == "tool":
            return ["Well."]
        clock.advance(jump)
        await asyncio.sleep(A_WHILE)
        return [ToolUse("slow")]

    options: dict[str, Any] = {"tools": [slow], "settings": FAST, "runtime": {"clock": clock}}
    async with agent_on(path, turn, **options) as api:
        thread = await api.create_thread("Hi")
        await eventually(lambda: ran_tool)
        clock.advance(jump)
        await asyncio.sleep(A_WHILE)
        go.set()
        assert (await finished(api, thread)).status == "completed"
        assert [part["output"] for part in await tool_parts(api, thread)] == ["done"]
        await api.send_message(thread.id, "And now?")
        await finished(api, thread)
    assert (asked, ran_tool) == (4, 2)


@pytest.mark.parametrize("jump", JUMPS)
async def test_clock_jump_moves_a_retry_that_waits(path: Path, clock: FakeClock, jump: float) -> None:
    busy = ModelError("Busy.", kind="rate_limited", retryable=True, retry_after=60.0)
    policy = RetryPolicy(max_attempts=2, initial_delay=60)
    model = ScriptedModel([[busy], ["Well."]])
    async with agent_on(path, model, settings=FAST, retry=policy, runtime={"clock": clock}) as api:
        thread = await api.create_thread("Hi")

        async def waits() -> bool:
            found = await api.get_thread(thread.id)
            return found is not None and found.retry_state is not None

        await eventually(waits)
        clock.advance(jump)
        if jump < 0:
            await eventually(lambda: soon(path, clock))
            clock.advance(9)
        assert (await finished(api, thread)).status == "completed"
        assert await texts(api, thread) == ["Hi", "Well."]


def soon(path: Path, clock: FakeClock) -> bool:
    """Return whether all waiting work is due within ten seconds."""
    return all(row[1] < clock.now() + 10 for row in rows(path)["agent_wake_up"])


@pytest.mark.parametrize("jump", JUMPS)
async def test_clock_jump_moves_a_schedule_that_waits(path: Path, clock: FakeClock, jump: float) -> None:
    async with agent_on(path, lambda _: ["Well."], settings=FAST, runtime={"clock": clock}) as api:
        thread = await api.create_thread()
        await api.schedules.create(thread.id, "Tea!", every(minutes=5), schedule_id="s")
        clock.advance(301)
        await ran(api, "s", 1)
        await finished(api, thread)
        clock.advance(jump)
        if jump > 0:
            await ran(api, "s", 2)
            await asyncio.sleep(A_WHILE)
            clock.advance(-jump)  # the jump is corrected
        await eventually(lambda: all(due <= clock.now() + 300 for _, due, _ in wake_ups(path)))


async def test_clock_jump_moves_the_timeout_of_an_awaited_outcome(path: Path, clock: FakeClock) -> None:
    """A jump ahead ends the wait; after a jump back the call waits a day longer and does not fail early."""

    @async_tool(timeout=60)
    async def ask() -> None:
        """Ask somebody."""

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("ask", id="c")]

    options: dict[str, Any] = {"tools": [ask], "settings": FAST, "runtime": {"clock": clock}}
    async with agent_on(path, turn, **options) as api:
        back = await api.create_thread("Hi")
        await eventually(lambda: waiting(path))
        clock.advance(-DAY)
        await asyncio.sleep(A_WHILE)
        assert (await api.get_thread(back.id)).status == "awaiting_tool_results"  # type: ignore[union-attr]
        await api.add_tool_result("c", "yes", thread_id=back.id)
        await finished(api, back)
        ahead = await api.create_thread("Hi")
        await eventually(lambda: waiting(path))
        clock.advance(DAY)
        await finished(api, ahead)
        (part,) = await tool_parts(api, ahead)
        assert "in time" in part["errorText"]


def waiting(path: Path) -> bool:
    """Return whether a timeout is set."""
    return any(row[0].startswith("timeout:") for row in rows(path)["agent_wake_up"])


def test_ids_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_750_000_000_000_000_000
    made: list[str] = [new_id("x")]
    for jump in (DAY, -DAY, 0, DAY * 400, -DAY * 400):
        now += int(jump * 1e9)
        monkeypatch.setattr("agent_core.support.ids.time.time_ns", lambda at=now: at)
        made += [new_id("x") for _ in range(3)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
