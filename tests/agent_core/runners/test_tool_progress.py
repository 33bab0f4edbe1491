"""Progress of running tools, on a page that is open and on one that opens later."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, ToolContext
from agent_core.runners import tool_runner
from agent_core.store.database.sql import CALL, DELTA
from agent_core.streaming.fold import ThreadView
from agent_core.testing import FakeClock, ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import (
    EAGER,
    QUICK,
    Follower,
    agent_on,
    finished,
    lose_leases,
    prepare,
    rows,
    waiting,
)

LONG = 30.0
WAITS = RetryPolicy(max_attempts=3, initial_delay=60, jitter=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def turn(messages: list[dict[str, Any]]) -> list[Any]:
    return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("slow", id="c1")]


async def late(api: Any, thread: Any) -> ThreadView:
    """Return the view of a page that opens now."""
    view = ThreadView()
    view.apply(await anext(api.subscribe(thread.id)))
    return view


async def test_a_page_that_opens_in_mid_tool(path: Path) -> None:
    end = asyncio.Event()

    @action_tool
    async def slow(ctx: ToolContext) -> str:
        """Report three times."""
        for percent in (10, 20, 30):
            await ctx.report({"percent": percent})
        await end.wait()
        return "done"

    async with agent_on(path, turn, tools=[slow]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.progress.get("c1") == {"percent": 30})
            view = await late(api, thread)
            assert view.progress == {"c1": {"percent": 30}}
            (run,) = view.runs.values()
            assert (run["status"], run["attempt"]) == ("running", 1)
            assert 0 <= api.store.clock.now() - run["started_at"] < LONG
            end.set()
            await finished(api, thread)
            await follower.agrees()
            view = await late(api, thread)
            assert (view.progress, view.runs) == ({}, {}) == (follower.view.progress, follower.view.runs)
    place = list(CALL.c.keys()).index("progress")
    assert [row[place] for row in rows(path, CALL)["agent_tool_call"]] == [None]


async def test_the_last_report_outlives_the_process(path: Path) -> None:
    @action_tool(rerun_on_interrupt=True)
    async def slow(ctx: ToolContext) -> str:
        """Report and hang, the first time."""
        if ctx.attempt == 1:
            await ctx.report("half way")
            await asyncio.sleep(LONG)
        return "done"

    async with agent_on(path, turn, tools=[slow], settings=QUICK) as api:
        thread = await api.create_thread("Go")
        await eventually(lambda: rows(path, CALL)["agent_tool_call"])
        await eventually(lambda: any("half way" in str(row) for row in rows(path, CALL)["agent_tool_call"]))
        await lose_leases(api)
        async with agent_on(path, turn, runtime={"work": False}, tools=[slow]) as other:
            view = await late(other, thread)
            assert view.progress == {"c1": "half way"}
            assert view.runs["c1"]["attempt"] == 1
        async with agent_on(path, turn, tools=[slow], settings=QUICK) as heir:
            await finished(heir, thread)


async def test_a_retry_is_shown_live_and_to_later_readers(path: Path) -> None:
    end = asyncio.Event()

    @action_tool(retry=WAITS)
    async def slow(ctx: ToolContext) -> str:
        """Fail once."""
        if ctx.attempt == 1:
            raise OSError("Not yet.")
        await end.wait()
        return "done"

    clock = FakeClock()
    async with agent_on(path, turn, tools=[slow], settings=EAGER, runtime={"clock": clock}) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            for status, attempt in (("retrying", 1), ("running", 2)):
                await follower.until(
                    lambda view, status=status: view.runs.get("c1", {}).get("status") == status
                )
                told = follower.view.runs["c1"]
                assert told["attempt"] == attempt
                assert (await late(api, thread)).runs["c1"] == told
                clock.advance(61)
            end.set()
            await finished(api, thread)
            await follower.agrees()


async def test_a_call_that_waits_for_a_person(path: Path) -> None:
    @async_tool
    async def slow(ctx: ToolContext) -> None:
        """Say whom one has asked."""
        await ctx.report("asked Ada")

    async with agent_on(path, turn, tools=[slow]) as api:
        thread = await api.create_thread("Go")
        await waiting(api, thread.id)

        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.runs.get("c1", {}).get("status") == "waiting")
            assert follower.view.runs == (await late(api, thread)).runs
        assert (await late(api, thread)).progress == {"c1": "asked Ada"}


@pytest.mark.parametrize("takes_long", [False, True])
async def test_only_a_tool_that_takes_long_is_reported(
    path: Path, takes_long: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = asyncio.Event()

    @action_tool
    async def slow() -> str:
        """Take as long as it takes."""
        if takes_long:
            await end.wait()
        return "done"

    def told() -> int:
        return sum("data-tool-run" in str(row) for row in rows(path, DELTA)["agent_delta"])

    monkeypatch.setattr(tool_runner, "_REPORT_DELAY", 0.05 if takes_long else LONG)
    async with agent_on(path, turn, tools=[slow]) as api:
        thread = await api.create_thread("Go")
        async with Follower(api, thread.id) as follower:
            if takes_long:
                await eventually(told)
                await follower.until(lambda view: view.runs.get("c1"))
                assert follower.view.runs == (await late(api, thread)).runs
                end.set()
            await finished(api, thread)
            await follower.agrees()
    assert told() == takes_long
