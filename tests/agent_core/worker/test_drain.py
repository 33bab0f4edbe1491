"""Draining: a worker takes no more work, finishes what runs, and leaves the rest to others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_core import Workpool, action_tool
from agent_core.domain.end_reasons import EndReason
from agent_core.store.database.sql import WAKE_UP
from agent_core.testing import ToolUse, eventually
from tests.support.agents import EAGER, agent_on, finished, held, live, rows, runtime_of, texts, worker_of

LONG = 3600.0  # seconds


def holders(path: Path) -> dict[str, str | None]:
    """Return the worker that holds each wake-up, by its key."""
    return {row[0]: row[4] for row in rows(path, WAKE_UP)["agent_wake_up"]}


def slow_until(go: asyncio.Event) -> Any:
    """Return a model that answers "slow" when it may, and every other prompt at once."""

    def slow() -> Iterator[str | float]:
        yield "Begin. "
        yield from held(go)
        yield "End."

    return lambda messages: slow() if messages[-1]["content"] == "slow" else ["Quick."]


async def test_running_step_is_finished_and_new_work_is_left(path: Path) -> None:
    go = asyncio.Event()
    async with agent_on(path, slow_until(go), settings=EAGER) as api:
        slow = await api.create_thread("slow")
        await live(api, slow.id, "Begin.")
        drain = asyncio.create_task(runtime_of(api).drain(LONG))
        await eventually(lambda: worker_of(api).is_draining)
        quick = await api.create_thread("quick")  # sending goes on
        assert holders(path)[f"step:{quick.id}"] is None
        go.set()
        assert await drain
        assert (await finished(api, slow)).status == "completed"
        assert holders(path) == {f"step:{quick.id}": None}
        assert await texts(api, slow.id) == ["slow", "Begin. End."]
        async with agent_on(path, slow_until(go)) as other:
            assert (await finished(other, quick)).status == "completed"


async def test_next_step_after_a_tool_is_left(path: Path) -> None:
    runs, go = asyncio.Event(), asyncio.Event()

    @action_tool
    async def wait() -> str:
        """Wait."""
        runs.set()
        await go.wait()
        return "waited"

    turns = [[ToolUse("wait")]]
    async with agent_on(path, turns, tools=[wait], settings=EAGER) as api:
        thread = await api.create_thread("Hi")
        await runs.wait()
        drain = asyncio.create_task(runtime_of(api).drain(LONG))
        await eventually(lambda: worker_of(api).is_draining)
        go.set()
        assert await drain
        assert holders(path) == {f"step:{thread.id}": None}
        async with agent_on(path, [["Done."]], tools=[wait]) as other:
            await finished(other, thread)
            assert (await texts(other, thread.id))[-1] == "Done."


async def test_tools_of_the_step_that_ends_are_left(path: Path) -> None:
    go = asyncio.Event()

    @action_tool
    async def note() -> str:
        """Note."""
        return "noted"

    def calls() -> Iterator[Any]:
        yield "Begin. "
        yield from held(go)
        yield ToolUse("note")

    async with agent_on(path, [calls()], tools=[note], settings=EAGER) as api:
        thread = await api.create_thread("Hi")
        await live(api, thread.id, "Begin.")
        drain = asyncio.create_task(runtime_of(api).drain(LONG))
        await eventually(lambda: worker_of(api).is_draining)
        go.set()
        assert await drain
        ((key, holder),) = holders(path).items()
        assert key.startswith(f"tool:{thread.id}:")
        assert holder is None
        async with agent_on(path, [["Done."]], tools=[note]) as other:
            assert (await finished(other, thread)).status == "completed"


async def test_work_that_waits_for_a_slot_is_left_at_once(path: Path) -> None:
    go = asyncio.Event()
    async with agent_on(path, slow_until(go), runtime={"workpool": Workpool(1)}) as api:
        slow = await api.create_thread("slow")
        await live(api, slow.id, "Begin.")
        quick = await api.create_thread("quick")
        drain = asyncio.create_task(runtime_of(api).drain(LONG))
        async with agent_on(path, slow_until(go), settings=EAGER) as other:
            assert (await finished(other, quick)).status == "completed"
        go.set()
        assert await drain


async def test_work_that_is_leased_too_late_is_put_back(path: Path) -> None:
    """The scheduler's thread may lease rows while the drain begins."""
    async with agent_on(path, slow_until(asyncio.Event()), settings=EAGER) as api:
        assert await runtime_of(api).drain(LONG)
        thread = await api.create_thread("quick")
        key = await api.store.writer.run(api.store.wake_ups.lease, f"step:{thread.id}")
        assert key is not None
        # The reconciler finds a lease without its work.
        await eventually(lambda: holders(path) == {f"step:{thread.id}": None})


async def test_step_that_outlasts_the_grace_is_released_and_continued_elsewhere(path: Path) -> None:
    go = asyncio.Event()
    async with agent_on(path, slow_until(go), settings=EAGER) as api:
        thread = await api.create_thread("slow")
        await live(api, thread.id, "Begin.")
        assert not await runtime_of(api).drain(0)
    go.set()
    async with agent_on(path, slow_until(go)) as api:
        assert (await finished(api, thread)).status == "completed"
        ended = [span.end_reason for span in await api.timeline(thread.id) if span.end_reason]
        assert ended == [EndReason.RELEASED]
    assert holders(path) == {}


async def test_tool_that_outlasts_the_grace_gets_no_more_seconds_at_the_close(path: Path) -> None:
    runs, cancelled = asyncio.Event(), []

    @action_tool(rerun_on_interrupt=True)
    async def wait() -> str:
        """Wait for ever, but only once."""
        if runs.is_set():
            return "again"
        runs.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(1)
        return ""

    async with agent_on(path, [[ToolUse("wait")]], tools=[wait], settings=EAGER) as api:
        thread = await api.create_thread("Hi")
        await runs.wait()
        assert not await runtime_of(api).drain(0)
    assert cancelled
    async with agent_on(path, [["Done."]], tools=[wait]) as api:
        assert (await finished(api, thread)).status == "completed"


async def test_draining_nothing_ends_at_once_and_a_runtime_that_only_sends_has_nothing(path: Path) -> None:
    async with agent_on(path, []) as api, agent_on(path, [], runtime={"work": False}) as sender:
        assert await runtime_of(api).drain(LONG)
        assert await runtime_of(api).drain(LONG), "twice is once"
        assert await runtime_of(sender).drain(LONG)


async def test_worker_that_follows_a_drained_one_takes_work_again(path: Path) -> None:
    async with agent_on(path, lambda _: ["Yes."], runtime={"work": False}) as api:
        runtime = runtime_of(api)
        thread = await api.create_thread("Hi")
        assert thread.status == "streaming"
        await runtime.begin_work()
        assert (await finished(api, thread)).status == "completed"
        with pytest.raises(Exception, match="has a worker already"):
            await runtime.begin_work()
