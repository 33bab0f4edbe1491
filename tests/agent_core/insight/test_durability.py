"""Activity of a thread for a page that watches it: leases, committed steps and the newest turns."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, RetryPolicy, Thread, errors
from agent_core.domain.durability import Durability
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import QUICK, agent_on, finished, lose_leases, prepare

BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def held(found: Durability) -> list[tuple[str, str]]:
    return [(lease.key.split(":")[0], lease.worker) for lease in found.leases]


async def test_durability_names_the_worker_and_what_is_committed(path: Path) -> None:
    go = asyncio.Event()

    @action_tool
    async def look() -> str:
        """Look."""
        await go.wait()
        return "seen"

    turns = [[ToolUse("look", id="c")], ["Well."]]
    async with agent_on(path, turns, tools=[look], settings=QUICK) as api:
        thread = await api.create_thread()
        idle = await api.insight.durability(thread.id)
        assert (idle.status, idle.seq, idle.committed_seq, idle.leases) == ("completed", 0, 0, ())
        await api.send_message(thread.id, "Go")

        async def in_the_tool() -> Any:
            found = await api.insight.durability(thread.id)
            return found if held(found) == [("tool", api.store.process)] else None

        found = await eventually(in_the_tool)
        assert found.worker == api.store.process
        assert (found.status, found.seq, found.committed_seq) == ("awaiting_tool_results", 1, 1)
        first = found.leases[0]
        assert first.expires_at - first.heartbeat_at == timedelta(seconds=QUICK.lease)
        assert found.to_dict()["leases"][0]["heartbeat_at"] == first.heartbeat_at.isoformat()

        async def beats() -> bool:
            return (await api.insight.durability(thread.id)).leases[0].heartbeat_at > first.heartbeat_at

        await eventually(beats)
        go.set()
        await finished(api, thread)
        over = await api.insight.durability(thread.id)
        assert (over.status, over.committed_seq, over.leases, over.waiting) == ("completed", 2, (), 0)
        assert over.cursor > found.cursor


async def test_another_process_is_named_when_it_has_taken_over(path: Path) -> None:
    asked: list[int] = []

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked.append(1)
        return ["Half", 30.0 if len(asked) <= 2 else 0.0, " and whole."]

    async with agent_on(path, turn, settings=QUICK) as api:
        thread = await api.create_thread("Go")
        await eventually(lambda: asked)
        await lose_leases(api)
        async with agent_on(path, turn, settings=QUICK) as heir:

            async def taken_over() -> bool:
                found = await api.insight.durability(thread.id)
                by_heir = held(found) == [("step", heir.store.process)]
                return by_heir and (found.seq, found.committed_seq) == (2, 0)  # the model has been asked

            await eventually(taken_over)
            await heir.stop_thread(thread.id)
            assert held(await api.insight.durability(thread.id)) == []


async def test_durability_of_waiting_work_says_when_it_is_due(path: Path) -> None:
    @async_tool(timeout=60.0)
    def ask() -> None:
        """Ask a person."""

    later = RetryPolicy(max_attempts=2, initial_delay=600.0, max_delay=600.0, jitter=0)
    async with agent_on(path, [["Oh", BUSY]], retry=later) as api:
        thread = await api.create_thread("Go")
        found = await eventually(lambda: _waits(api, thread))
        assert (found.waiting, found.leases) == (1, ())
        assert found.next_at is not None
        assert 540 < (found.next_at - datetime.now(UTC)).total_seconds() <= 600
    async with agent_on(path, [[ToolUse("ask", id="c")]], tools=[ask]) as api:
        thread = await api.create_thread("Go")
        found = await eventually(lambda: _waits(api, thread))
        assert (found.status, found.leases) == ("awaiting_tool_results", ())


async def _waits(api: AgentApi, thread: Thread) -> Any:
    found = await api.insight.durability(thread.id)
    return found if found.waiting and not found.leases else None


async def test_an_unknown_thread_and_a_bad_turn_count_are_refused(path: Path) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(errors.ThreadNotFoundError, match="'nobody'"):
            await api.insight.durability("nobody")
        for turns in (0, -1, True, "1", 1 << 60):
            with pytest.raises(errors.ValidationError, match="turns"):
                await api.timeline("nobody", turns=turns)  # pyright: ignore[reportArgumentType]


async def test_the_newest_turns_are_the_end_of_the_whole_timeline(path: Path) -> None:
    """The spans of a turn are the same alone and among all: after an edit, a regeneration and a wait."""

    @action_tool
    async def look() -> str:
        """Look."""
        return "seen"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        if messages[-1]["role"] == "user" and "look" in messages[-1]["content"]:
            return ["So.", ToolUse("look")]
        return [f"{len(messages)}."]

    async with agent_on(path, turn, tools=[look]) as api:
        thread = await api.create_thread("1", message_id="first")
        for text in ("2 look", "3", "4 look"):
            await finished(api, thread)
            await api.send_message(thread.id, text)
        await finished(api, thread)
        *_, asked, last = await api.list_messages(thread.id)
        await asyncio.sleep(0.15)  # long enough for a prompt to count as queued
        await api.regenerate(thread.id, last.id)
        await finished(api, thread)
        for count in range(1, 8):
            await _compare(api, thread, count)
        assert f"queued:{asked.id}" not in [span.id for span in await api.timeline(thread.id, turns=1)]
        await api.edit_message(thread.id, "first", "1 look")
        await finished(api, thread)
        for count in range(1, 8):
            await _compare(api, thread, count)


async def _compare(api: AgentApi, thread: Thread, count: int) -> None:
    everything = await api.timeline(thread.id)
    replies = [span.message_id for span in everything if span.kind == "turn"][-count:]
    wanted = [span for span in everything if span.message_id in replies]
    assert await api.timeline(thread.id, turns=count) == wanted
    assert await api.timeline(thread.id, replies=[str(reply) for reply in replies]) == wanted
