"""Timeouts of async tool calls: set by the tool, its callback or a person, and moved."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import ToolContext, errors
from agent_core.store.database.sql import WAKE_UP
from agent_core.store.tool_calls import timeouts
from agent_core.testing import FakeClock, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool, async_tool, create_async_tool
from tests.support.agents import EAGER, agent_on, finished, rows, tool_parts, waiting

SOON, LATER = 0.2, 600.0
late = create_async_tool(name="ask", description="Ask.", timeout=LATER)
quick = create_async_tool(name="ask", description="Ask.", timeout=SOON)
open_end = create_async_tool(name="ask", description="Ask.")


def asks() -> ScriptedModel:
    return ScriptedModel([[ToolUse("ask", id="c1")], ["Well."]])


def due(path: Path) -> list[float]:
    """Return the due times of the stored timeouts."""
    return [row[1] for row in rows(path, WAKE_UP)["agent_wake_up"] if row[0].startswith("timeout:")]


async def error(api: Any, thread: Any) -> str | None:
    (part,) = await tool_parts(api, thread)
    return part.get("errorText")


@pytest.mark.parametrize("tool", [late, open_end], ids=["moved", "set"])
async def test_timeout_of_a_call_is_set_and_moved(path: Path, tool: Any) -> None:
    async with agent_on(path, asks(), tools=[tool]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await api.set_tool_call_timeout("c1", LATER * 2)
        assert due(path)[0] > api.store.clock.now() + LATER
        await api.set_tool_call_timeout("c1", SOON, thread_id=thread.id)
        await finished(api, thread)
        assert await error(api, thread) == "No outcome came in time."
    assert not due(path)


async def test_timeout_of_a_call_is_removed(path: Path) -> None:
    clock = FakeClock()
    async with agent_on(path, asks(), tools=[quick], settings=EAGER, runtime={"clock": clock}) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await api.set_tool_call_timeout("c1", None)
        assert not due(path)
        clock.advance(2 * SOON)
        await asyncio.sleep(2 * EAGER.poll)
        await api.add_tool_result("c1", "at last")
        await finished(api, thread)
        assert await error(api, thread) is None


async def test_timeout_of_a_call_survives_a_restart(path: Path) -> None:
    async with agent_on(path, asks(), tools=[open_end]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await api.set_tool_call_timeout("c1", SOON)
    async with agent_on(path, [["Well."]], tools=[open_end]) as api:
        await finished(api, thread)
        assert await error(api, thread) == "No outcome came in time."


@pytest.mark.parametrize(("seconds", "least"), [(LATER, LATER), (None, 100 * LATER)])
async def test_the_callback_sets_its_own_timeout(path: Path, seconds: float | None, least: float) -> None:
    @async_tool(timeout=SOON)
    async def ask(ctx: ToolContext) -> None:
        """Ask for longer than usual."""
        await ctx.set_timeout(seconds)

    async with agent_on(path, asks(), tools=[ask]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await eventually(lambda: len(rows(path, WAKE_UP)["agent_wake_up"]) == 1)
        assert due(path)[0] > api.store.clock.now() + least - 60
        await api.add_tool_result("c1", 1)
        await finished(api, thread)
    assert not rows(path, WAKE_UP)["agent_wake_up"]


async def test_timeout_can_be_set_from_outside_before_the_callback_returns(path: Path) -> None:
    """A receiver of the call's id may act before the callback returns."""
    go = asyncio.Event()

    @async_tool(timeout=SOON)
    async def ask(ctx: ToolContext) -> None:
        """Ask, and take one's time."""
        await api.set_tool_call_timeout(ctx.tool_call_id, LATER)
        go.set()

    async with agent_on(path, asks(), tools=[ask]) as api:
        thread = await api.create_thread("Go")
        await asyncio.wait_for(go.wait(), 20)
        await waiting(api, thread.id)
        await eventually(lambda: len(rows(path, WAKE_UP)["agent_wake_up"]) == 1)
        assert due(path)[0] > api.store.clock.now() + LATER - 60


async def test_a_callback_that_fails_leaves_no_timeout(path: Path) -> None:
    @async_tool
    async def ask(ctx: ToolContext) -> None:
        """Fail."""
        await ctx.set_timeout(LATER)
        raise OSError("No line.")

    async with agent_on(path, asks(), tools=[ask]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert await error(api, thread) == "No line."
    assert not rows(path, WAKE_UP)["agent_wake_up"]


async def test_moved_timeout_does_not_fire_at_its_old_time(path: Path) -> None:
    """The worker that took the timeout when it was due must find it moved."""
    async with agent_on(path, asks(), tools=[late]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)
        await api.store.writer.run(timeouts.expire, thread.id, "c1", api.store.process)
        assert await error(api, thread) is None
        assert due(path)


async def test_wrong_timeouts_are_refused(path: Path) -> None:
    @action_tool(needs_approval=True)
    async def pay() -> None:
        """Pay."""
        await asyncio.sleep(60)

    turns = [[ToolUse("ask", id="c1"), ToolUse("pay", id="c2")], ["Well."]]
    async with agent_on(path, turns, tools=[open_end, pay]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id, 2)
        refused: list[tuple[str, Any, type[Exception]]] = [
            *((("c1", bad, errors.ValidationError)) for bad in (0, -1, 1e12, float("nan"), "5", True)),
            ("c2", 5, errors.ValidationError),
            ("nobody", 5, errors.ToolCallNotFoundError),
            ("\0", 5, errors.ToolCallNotFoundError),
        ]
        for call_id, seconds, kind in refused:
            with pytest.raises(kind):
                await api.set_tool_call_timeout(call_id, seconds)
        await api.add_tool_result("c1", 1)
        with pytest.raises(errors.ToolCallFinishedError):
            await api.set_tool_call_timeout("c1", 5)
        assert not due(path)


async def test_an_action_tools_context_has_no_timeout(path: Path) -> None:
    @action_tool
    async def ask(ctx: ToolContext) -> None:
        """Try."""
        await ctx.set_timeout(5)

    async with agent_on(path, asks(), tools=[ask]) as api:
        thread = await finished(api, await api.create_thread("Go"))
        assert "not an async tool" in str(await error(api, thread))
