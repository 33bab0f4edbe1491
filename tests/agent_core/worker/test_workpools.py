"""Waiting work: fair between threads, within the room of the pools, and visible."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Workpool
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.store.database.transaction import Tx
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from agent_core.worker import workpool
from agent_core.worker.workpool import Workpools
from tests.support.agents import EAGER, QUICK, agent_on, finished, rows, runtime_of, texts, worker_of


async def test_fifty_calls_of_one_thread_starve_nobody(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began: list[tuple[str, float]] = []
    go = asyncio.Event()

    @action_tool
    async def busy(who: str) -> None:
        """Take a moment, once all of them wait for a place."""
        began.append((who, time.monotonic()))
        await go.wait()
        await asyncio.sleep(0.02)

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        if messages[-1]["role"] == "tool":
            return ["Well."]
        who = messages[-1]["content"]
        return [ToolUse("busy", {"who": who})] * (50 if who == "big" else 1)

    pool = Workpool(2)
    async with agent_on(path, turn, tools=[busy], runtime={"tool_workpool": pool}) as api:
        big = await api.create_thread("big")
        await eventually(lambda: began)
        small = [await api.create_thread(f"small{number}") for number in range(10)]
        await eventually(lambda: len(pool.waiting()) == 58)
        asked = time.monotonic()
        go.set()
        for thread in (*small, big):
            assert (await finished(api, thread)).status == "completed"
    waits = sorted(at - asked for who, at in began if who != "big")
    lasted = began[-1][1] - began[0][1]
    with capsys.disabled():
        print(f"\nten others waited {waits[4]:.2f} s (median), {waits[-1]:.2f} s (longest) of {lasted:.2f} s")
    assert len(began) == 60
    last_small = max(place for place, (who, _) in enumerate(began) if who != "big")
    assert last_small < 45, "each of the others came before the rest of the fifty"


async def test_a_backlog_of_one_thread_lets_the_others_in(path: Path) -> None:
    """One thread has a thousand rows that came due long ago, and three others have one each that just did."""
    async with agent_on(path, [], runtime={"work": False}) as api:
        wake_ups = api.store.wake_ups

        def backlog(tx: Tx) -> None:
            for number in range(1000):
                wake_ups.enqueue(tx, f"tool:big:{number}", tx.now - 3600 + number)
            for name in ("a", "b", "c"):
                wake_ups.enqueue(tx, f"tool:{name}:1", tx.now - 1)
            wake_ups.enqueue(tx, "step:d", tx.now - 2)
            wake_ups.enqueue(tx, "timeout:big:1", tx.now - 2)

        await api.store.writer.run(backlog)

        async def take(room: dict[str, int]) -> list[str]:
            return [str(key) for key, _ in await api.store.writer.run(wake_ups.take, room)]

        first = await take({"tool": 8})
        assert {"tool:a:1", "tool:b:1", "tool:c:1"} < set(first)
        assert sorted(set(first) - {f"tool:{name}:1" for name in "abc"}) == [
            f"tool:big:{number}" for number in range(5)
        ]
        assert await take({"step": 8}) == ["step:d"]
        assert await take({"other": 8}) == ["timeout:big:1"]
        assert sorted(await take({"work": 2})) == ["tool:big:5", "tool:big:6"]
        queue = await runtime_of(api).queue()
        assert queue["tools"].due == queue["tools"].depth == 993
        assert 3500 < queue["tools"].oldest_wait < 3700
        assert queue["steps"].due == 0


async def test_worker_takes_no_more_than_its_pools_have_room_for(path: Path) -> None:
    """Work without room stays in the database, where another process may take it."""
    go = asyncio.Event()

    async def turn(_messages: list[dict[str, Any]]) -> list[Any]:
        await go.wait()
        return ["Well."]

    def holders() -> list[str | None]:
        return [row[4] for row in rows(path)["agent_wake_up"]]

    pools = {"workpool": Workpool(2)}
    async with agent_on(path, turn, settings=EAGER, runtime={"work": False}) as sender:
        threads = [await sender.create_thread(f"{number}") for number in range(9)]
        async with agent_on(path, turn, settings=EAGER, runtime=pools) as one:
            await eventually(lambda: holders().count(one.store.process) == 2)

            async def seen() -> bool:
                steps = (await runtime_of(one).queue())["steps"]
                return (steps.running, steps.waiting, steps.due, steps.max_parallelism) == (2, 0, 7, 2)

            await eventually(seen)
            first = (await runtime_of(one).queue())["steps"].oldest_wait
            async with agent_on(path, turn, settings=EAGER) as two:
                await eventually(lambda: holders().count(two.store.process) == 7)
                assert holders().count(one.store.process) == 2
                assert first > 0
                go.set()
                for thread in threads:
                    assert (await finished(two, thread)).status == "completed"


async def test_waiting_work_of_this_process_is_reported(path: Path) -> None:
    go = asyncio.Event()

    @action_tool
    async def hold() -> None:
        """Wait."""
        await go.wait()

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("hold")] * 5

    async with agent_on(path, turn, tools=[hold], runtime={"tool_workpool": Workpool(2)}) as api:
        thread = await api.create_thread("Go")

        async def seen() -> bool:
            tools = (await runtime_of(api).queue())["tools"]
            return (tools.running, tools.waiting, tools.due, tools.depth) == (2, 3, 0, 3)

        await eventually(seen)
        before = (await runtime_of(api).queue())["tools"].oldest_wait

        async def longer() -> bool:
            return (await runtime_of(api).queue())["tools"].oldest_wait > before

        await eventually(longer)
        go.set()
        await finished(api, thread)
        tools = (await runtime_of(api).queue())["tools"]
        assert (tools.running, tools.depth, tools.oldest_wait) == (0, 0, 0.0)


def asking(api: AgentApi) -> Any:
    """Return a tool that asks another thread."""

    @action_tool
    async def ask() -> str:
        """Ask another thread."""
        other = await api.create_thread("Other")
        await api.wait_until_idle(other.id)
        return (await texts(api, other))[-1]

    return ask


def ask_or_answer(messages: list[dict[str, Any]]) -> list[Any]:
    if messages[-1]["role"] == "tool":
        return [messages[-1]["content"]]
    return ["42"] if messages[-1]["content"] == "Other" else [ToolUse("ask")]


async def test_a_tool_may_wait_for_another_thread(path: Path) -> None:
    """There is one place for steps, and a separate one for tools."""
    async with agent_on(path, ask_or_answer, runtime={"workpool": Workpool(1)}) as api:
        api.agent.tools["ask"] = asking(api)  # type: ignore[union-attr]
        thread = await api.create_thread("Go")
        await finished(api, thread)
        assert (await texts(api, thread))[-1] == "42"


async def test_a_pool_in_which_nothing_can_end_is_reported(
    path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tool has the only shared place, and waits for the step that needs it."""
    monkeypatch.setattr(workpool, "STANDSTILL_TIMEOUT", 0.2)
    pool = Workpool(1)
    runtime = {"workpool": pool, "tool_workpool": pool}
    async with agent_on(path, ask_or_answer, settings=QUICK, runtime=runtime) as api:
        api.agent.tools["ask"] = asking(api)  # type: ignore[union-attr]
        thread = await api.create_thread("Go")
        warn = worker_of(api)._warn_of_standstill  # pyright: ignore[reportPrivateUsage]

        def told() -> bool:
            warn()
            return "No work has started for" in caplog.text

        await eventually(told)
        warn()
        await asyncio.sleep(0)
        assert caplog.text.count("No work has started for") == 1, "once for each standstill"
        assert f"tool:{thread.id}" in caplog.text
        await api.stop_thread(thread.id)
        (other,) = [found for found in await api.list_threads() if found.id != thread.id]
        assert (await finished(api, other)).status == "completed", "a stop makes room"


def test_tools_get_a_pool_of_their_own() -> None:
    steps = Workpool(3)
    steps.engine = object()
    pools = Workpools(steps, None)
    assert pools.tools is not steps
    assert (pools.tools.max_parallelism, pools.tools.engine) == (3, steps.engine)
    assert pools.room() == {"step": 3, "tool": 3, "other": 16}
    assert Workpools(steps, steps).room() == {"work": 3, "other": 16}
    assert [
        pools.of(WakeUpKey.parse(key)) for key in ("step:t", "tool:t:c", "timeout:t:c", "schedule:s")
    ] == [
        steps,
        pools.tools,
        pools.others,
        pools.others,
    ]
