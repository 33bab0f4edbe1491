"""Turns are shared between people first, then between threads; people's messages come before schedules' runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, CallContext, Workpool, create_workpool_bridge, errors, every
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.store.database.sql import WAKE_UP
from agent_core.store.database.transaction import Tx
from agent_core.store.wake_ups.take import Leased
from agent_core.store.wake_ups.wake_ups import LeasedWakeUps
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import EAGER, agent_on, finished, rows

IDLE: dict[str, Any] = {"work": False}
P, Q = CallContext(user_id="p"), CallContext(user_id="q")


@action_tool
async def look() -> str:
    """Look."""
    return "seen"


def threads(leased: list[Leased]) -> list[str]:
    return [key.thread_id for key, _ in leased]


async def take(api: AgentApi, most: int, worker: str = "w", **options: Any) -> list[str]:
    """Lease steps, one by one, as places become free; return their threads in order."""
    wake_ups = LeasedWakeUps(worker, 60.0)
    found: list[str] = []
    for _ in range(most):
        found += threads(await api.store.writer.run(wake_ups.take, {"step": 1}, **options))
    return found


async def age(api: AgentApi, seconds: float, thread_id: str) -> None:
    """Let a wake-up have been due for some seconds more."""
    statement = "update agent_wake_up set next_run_time = next_run_time - {} where thread_id = '{}'"
    await api.store.writer.run(lambda tx: tx.cursor.execute(statement.format(seconds, thread_id)))


async def test_slots_that_become_free_go_to_whoever_has_fewest_running(path: Path) -> None:
    async with agent_on(path, [], runtime=IDLE) as api:
        for number in range(20):
            await api.create_thread("Go", thread_id=f"p{number}", ctx=P)
        assert await take(api, 5) == [f"p{number}" for number in range(5)], "nobody else waits"
        await api.create_thread("Go", thread_id="q0", ctx=Q)
        await api.create_thread("Go", thread_id="q1", ctx=Q)
        await api.create_thread("Go", thread_id="x")  # of no user
        assert await take(api, 4, "another worker") == ["q0", "x", "q1", "p5"]


async def test_peoples_messages_pass_runs_of_schedules(path: Path) -> None:
    async with agent_on(path, [], runtime=IDLE) as api:
        sent: dict[str, Any] = {"schedule": "s"}
        for name in ("run", "late run"):
            await api.create_thread("Go", thread_id=name, ctx=P, metadata=sent)
            await api.store.writer.run(_scheduled, name)
        await age(api, 61, "late run")
        await api.create_thread("Go", thread_id="p", ctx=P)
        await api.create_thread("Go", thread_id="q", ctx=Q)
        assert await take(api, 4) == ["late run", "q", "p", "run"]


def _scheduled(tx: Tx, thread_id: str) -> None:
    tx.cursor.execute(f"update agent_wake_up set scheduled = true where thread_id = '{thread_id}'")


async def test_rows_say_whose_turn_it_is_and_who_began_it(path: Path) -> None:
    async with agent_on(path, lambda _: ["Well."], settings=EAGER) as api:
        thread = await api.create_thread(ctx=P)
        await api.schedules.create(thread.id, "Tea!", every(minutes=5), schedule_id="s", ctx=P)
    async with agent_on(path, [], runtime=IDLE) as api:
        await api.schedules.run_now("s", ctx=P)
        await api.create_thread("Go", thread_id="q", ctx=Q)
        found = [
            dict(zip(WAKE_UP.c.keys(), row, strict=True)) for row in rows(path, WAKE_UP)["agent_wake_up"]
        ]
        assert {row["id"]: (row["user_id"], bool(row["scheduled"])) for row in found} == {
            "schedule:s": (None, False),
            str(step_key(thread.id)): ("p", True),
            "step:q": ("q", False),
        }


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_persons_single_thread_passes_the_many_of_another(path: Path, at_once: int) -> None:
    """Counted in steps: without sharing, p's 3,000 would come first."""
    order: list[str] = []
    sent = asyncio.Event()

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        who = messages[0]["content"]
        if who == "p":
            await sent.wait()
        order.append(who)
        asked = sum(message["role"] == "tool" for message in messages)
        return [ToolUse("look")] if asked < 5 else ["Done."]

    pools = {"workpool": Workpool(at_once), "tool_workpool": Workpool(1)}
    async with agent_on(path, turn, tools=[look], settings=EAGER, runtime=pools) as api:
        await asyncio.gather(*(api.create_thread("p", ctx=P) for _ in range(500)))
        single = await api.create_thread("q", ctx=Q)
        sent.set()
        assert (await finished(api, single)).status == "completed"
        first, last = order.index("q"), len(order) - order[::-1].index("q")
        assert first <= 300, "q's thread is found at the next look, if no slot is free for it at once"
        assert order[first:last].count("q") == 6
        assert order[first:last].count("p") <= 2 * 6 * at_once, (
            "q alone takes 6 steps; each slot does twice as many at most"
        )


@pytest.mark.parametrize("shared", [False, True])
async def test_a_persons_threads_run_within_their_limit(path: Path, shared: bool) -> None:
    """Over both workers together; tools of a turn that has begun are not limited."""
    running, most = Counter[str](), Counter[str]()
    go = asyncio.Event()

    async def turn(messages: list[dict[str, Any]]) -> list[Any]:
        who = messages[0]["content"]
        running[who] += 1
        most[who] = max(most[who], running[who])
        try:
            await (go.wait() if who == "q" else asyncio.sleep(0.02))
            return ["Done."] if messages[-1]["role"] == "tool" else [ToolUse("look")] * 3
        finally:
            running[who] -= 1

    def pools() -> dict[str, Any]:
        pool = Workpool(8, max_per_user=2)
        return {"settings": EAGER, "runtime": {"workpool": pool, "tool_workpool": pool if shared else None}}

    async with (
        agent_on(path, turn, tools=[look], **pools()) as one,
        agent_on(path, turn, tools=[look], **pools()),
    ):
        waiting = [await one.create_thread("q", ctx=Q) for _ in range(3)]
        found = [await one.create_thread("p", ctx=P) for _ in range(6)]
        for thread in found:
            assert (await finished(one, thread)).status == "completed"
        await eventually(lambda: running["q"] == 2)
        go.set()
        for thread in waiting:
            assert (await finished(one, thread)).status == "completed"
    assert most["q"] == 2
    assert most["p"] <= 2


def test_a_limit_below_one_is_refused() -> None:
    for limit in (0, -1):
        with pytest.raises(errors.ValidationError, match="max_per_user"):
            Workpool(max_per_user=limit)


def test_a_bridge_limits_people_too() -> None:
    class Nothing:
        def prepare(self) -> None: ...

        def defer(self, tx: Tx, key: str, run_at: float | None) -> None: ...

        async def run(self, deliver: Any, concurrency: int) -> None: ...

    assert create_workpool_bridge(Nothing(), max_per_user=3).max_per_user == 3
