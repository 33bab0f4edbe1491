"""Recovery of work whose process has closed, died or lost track of it."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime, action_tool, define_internal_agent_api, errors
from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.domain.events.run_events import RunEvent, WorkerLost
from agent_core.domain.states import CallStatus
from agent_core.store.database.open import parse_url
from agent_core.store.database.sql import THREAD
from agent_core.store.tool_calls.calls import NewCall
from agent_core.store.turns import claims, steps
from agent_core.support.settings import Settings
from agent_core.testing import ToolUse, eventually
from agent_core.worker.worker_locks import WorkerLocks, workers_folder
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent
from tests.support.agents import (
    QUICK,
    Follower,
    agent_on,
    finished,
    held,
    lose_leases,
    rows,
    texts,
    tool_parts,
    worker_of,
)
from tests.support.databases import prepared, url

LONG = 30.0


def workers(path: Path) -> list[str]:
    folder = workers_folder(parse_url(url(path)), path if path.exists() else None)
    return sorted(file.name for file in folder.glob("[!.]*")) if folder is not None else []


async def test_a_killed_process_is_taken_over_at_once(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The lease lasts an hour, but the lock file shows the death."""
    settings = {"lease": 3600.0}
    # The step lasts long enough to be seen running.
    plan = Plan(path.parent, pace=30, settings=settings, database=prepared(path))
    dead = spawn(plan)
    async with Runtime(plan.url, work=False) as watching:
        api = define_internal_agent_api(watching, make_agent(plan.effects, 0))
        await api.create_thread(thread_id="t")
        await api.send_message("t", "once")
        async with Follower(api, "t") as follower:
            await follower.until(lambda _: "Step 0" in follower.text, 30)
            dead.kill()
            dead.join()
            assert rows(path)["agent_wake_up"], "its lease outlives it"
            began = time.monotonic()
            async with Runtime(plan.url) as heir:
                again = define_internal_agent_api(heir, make_agent(plan.effects, 0))
                asked = plan.effects.count()["ask once 0"]
                await eventually(lambda: plan.effects.count()["ask once 0"] > asked)
                took = time.monotonic() - began
                assert (await finished(again, "t")).status == "completed"
            await follower.agrees()
    with capsys.disabled():
        print(f"\nrestart -> the next model request: {took * 1000:.0f} ms")


async def test_process_killed_on_another_host_is_taken_over_before_its_lease_ends(
    path: Path, database: str
) -> None:
    """Nobody sees its lock file, and its lease lasts an hour, but the server has ended its sessions."""
    if database != "postgresql":
        return  # a file is used by one host
    settings: dict[str, Any] = {"lease": 3600.0, "heartbeat": 0.2}
    plan = Plan(path.parent, pace=0.1, settings=settings, database=prepared(path), is_host=True)
    dead = spawn(replace(plan, pace=30))
    async with Runtime(plan.url, work=False, settings=Settings(**settings)) as survivor:
        api = define_internal_agent_api(survivor, make_agent(plan.effects, 0))
        await api.create_thread("once", thread_id="t")
        async with Follower(api, "t") as follower:
            await follower.until(lambda _: "Step 0" in follower.text, 30)
            await survivor.begin_work()
            sessions = worker_of(api)._reconciler._sessions  # pyright: ignore[reportPrivateUsage]
            await eventually(lambda: sessions._present)  # pyright: ignore[reportPrivateUsage]
            dead.kill()
            dead.join()
            assert (await finished(api, "t")).status == "completed"
            await follower.agrees()


async def test_process_that_stands_still_on_another_host_is_no_dead_one(path: Path, database: str) -> None:
    """So does that of a host which loses its power: its sessions stay open, its lease ends, nothing is suspect."""
    if database != "postgresql":
        return  # as above
    settings: dict[str, Any] = {"lease": 2.0, "heartbeat": 0.2}
    plan = Plan(path.parent, pace=0.1, settings=settings, database=prepared(path), is_host=True)
    sleeper = spawn(replace(plan, pace=60))
    assert sleeper.pid is not None
    async with Runtime(plan.url, work=False, settings=Settings(**settings)) as survivor:
        api = define_internal_agent_api(survivor, make_agent(plan.effects, 0))
        await api.create_thread("once", thread_id="t")
        async with Follower(api, "t") as follower:
            await follower.until(lambda _: "Step 0" in follower.text, 30)
            events: list[RunEvent] = []
            survivor.store.observers.add(events.append)
            await survivor.begin_work()
            os.kill(sleeper.pid, signal.SIGSTOP)
            try:
                assert (await finished(api, "t")).status == "completed"
            finally:
                sleeper.kill()
                sleeper.join()
    assert [event.ran for event in events if isinstance(event, WorkerLost)] == [0]


async def test_worker_closed_in_mid_step_gives_its_step_back(path: Path) -> None:
    """A graceful shutdown is no crash, and the partial text stays until the next first token."""
    async with agent_on(path, [["half", LONG]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "half")
        began = time.monotonic()
    assert time.monotonic() - began < LONG, "it has waited for the model"
    assert not workers(path)
    assert [row[4] for row in rows(path)["agent_wake_up"]] == [None]
    assert [row[THREAD.c.keys().index("crashes")] for row in rows(path)["agent_thread"]] == [0]
    go = asyncio.Event()
    async with agent_on(path, [chain(held(go), ["whole"])]) as api:
        async with Follower(api, thread.id) as follower:
            await eventually(lambda: api.agent.model.requests)  # type: ignore[union-attr]
            await follower.until(lambda _: follower.text == "half")
            go.set()
            await finished(api, thread)
            await follower.agrees()
        assert await texts(api, thread) == ["Hi", "whole"]


async def test_worker_closed_while_a_tool_runs_waits_for_the_tool(path: Path) -> None:
    began = asyncio.Event()

    @action_tool
    async def short() -> str:
        """Take a moment."""
        began.set()
        await asyncio.sleep(0.2)
        return "done"

    async with agent_on(path, [[ToolUse("short")]], tools=[short]) as api:
        thread = await api.create_thread("Hi")
        await asyncio.wait_for(began.wait(), 20)
    async with agent_on(path, [["Well."]], tools=[short]) as api:
        await finished(api, thread)
        assert [part["output"] for part in await tool_parts(api, thread)] == ["done"]


@pytest.mark.parametrize("again", [False, True])
async def test_a_tool_whose_process_died(path: Path, again: bool) -> None:
    """A tool without `rerun_on_interrupt` is not run again, and the model sees an outcome in doubt."""
    ran: list[int] = []

    @action_tool(rerun_on_interrupt=again)
    async def once() -> str:
        """Leave a trace."""
        ran.append(1)
        if len(ran) == 1:
            await asyncio.sleep(LONG)
        return "done"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("once")]

    async with agent_on(path, turn, tools=[once]) as api:
        thread = await api.create_thread("Hi")
        await eventually(lambda: ran)
        # As after a SIGKILL: a running call whose lease has no holder.
        await lose_leases(api)
        async with agent_on(path, turn, tools=[once]) as heir:
            await finished(heir, thread)
            (part,) = await tool_parts(heir, thread)
            assert part.get("output") == ("done" if again else None)
            assert part.get("errorText") == (None if again else IN_DOUBT.text)
            assert len(ran) == 1 + again


async def test_a_step_that_kills_its_process_is_sealed(path: Path) -> None:
    """After three deaths the step waits for a person; once resumed, it may be tried again."""
    plan = Plan(path.parent, pace=0, send=("poison",), die_at=("claim.after", 1), database=prepared(path))
    for _ in range(3):
        child = spawn(plan)
        child.join(60)
        assert child.exitcode == -9
    told: list[Exception] = []
    async with Runtime(plan.url) as runtime:
        agent = make_agent(plan.effects, 0)
        agent.on_error = lambda _thread_id, error: told.append(error)
        api = define_internal_agent_api(runtime, agent)
        async with Follower(api, plan.thread_id) as follower:
            sealed = await finished(api, plan.thread_id)
            assert (sealed.status, sealed.error_kind) == ("failed", "PoisonedStepError")
            assert "3 times" in (sealed.error or "")
            await eventually(lambda: [type(error) for error in told] == [errors.PoisonedStepError])
            await follower.agrees()
            await api.resume_thread(plan.thread_id)
            assert (await finished(api, plan.thread_id)).status == "completed"
            await follower.agrees()


NET = {
    "a step": ("streaming", "pending", "delete from agent_wake_up"),
    "a tool": ("awaiting_tool_results", "pending", "delete from agent_wake_up"),
    "the step after the tools": ("awaiting_tool_results", "failed", "delete from agent_wake_up"),
    "a lease that nobody works on": ("streaming", "failed", "update agent_wake_up set worker = 'nobody'"),
}


@pytest.mark.parametrize("case", NET)
async def test_the_reconciler_runs_work_without_a_wake_up_or_a_worker(path: Path, case: str) -> None:
    """No known path leads to these rows, but a manual edit of the database may."""
    status, call, harm = NET[case]

    @action_tool
    async def ping() -> str:
        """Ping."""
        return "pong"

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("ping", id="c")]

    options: dict[str, Any] = {"tools": [ping], "settings": QUICK}
    async with agent_on(path, turn, **options, runtime={"work": False}) as sender:
        await sender.create_thread(thread_id="t")
        await sender.send_message("t", "Hi")

        def leave(tx: Any) -> None:
            """Leave the thread as a worker would in the middle of its turn, then damage the rows."""
            tx.cursor.execute("update agent_wake_up set worker = 'w'")
            claim = claims.claim(tx, "t", "w", {"assistant"})
            assert claim is not None
            parts = [{"type": "tool-ping", "toolCallId": "c", "state": "input-available"}]
            new = [NewCall("c", "ping", "{}", CallStatus.PENDING)]
            steps.commit(tx, claim, parts=parts, chunks=[], new_calls=new, usage=None, first=True)
            tx.cursor.execute(f"update agent_tool_call set status = '{call}', error = 'x'")
            tx.cursor.execute(f"update agent_thread set status = '{status}'")
            tx.cursor.execute(harm)

        if case == "a step":
            await sender.store.writer.run(lambda tx: tx.cursor.execute(harm).rowcount)
        else:
            await sender.store.writer.run(leave)
        async with Follower(sender, "t") as follower, agent_on(path, turn, **options) as worker:
            assert (await finished(worker, "t")).status == "completed"
            await follower.agrees()


def test_dead_workers_are_told_from_living_ones(tmp_path: Path) -> None:
    """A worker is dead when its lock is free, but not before the worker has taken the lock."""
    one, two = WorkerLocks(tmp_path, "one"), WorkerLocks(tmp_path, "two")
    one.open()
    two.open()
    assert one.dead() == []
    (tmp_path / "three").touch()  # its process is gone, so the lock is free
    assert one.dead() == two.dead() == ["three"]
    one.forget("three")
    two.forget("three")
    two.close()
    assert one.dead() == []
    one.close()
