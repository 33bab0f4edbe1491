"""Deaths count only against work that ran alone: poison costs the work beside it time and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Thread, Workpool
from agent_core.store.database.open import parse_url
from agent_core.store.database.sql import WAKE_UP
from agent_core.store.database.transaction import Tx
from agent_core.store.turns import claims
from agent_core.testing import eventually
from agent_core.worker.worker_locks import WorkerLocks, workers_folder
from tests.chaos.colony import Colony, again, answer, once, send, settled
from tests.support.agents import agent_on, finished, live, rows, tool_parts, worker_of
from tests.support.databases import prepared, url
from tests.support.processes.sleep import put_to_sleep

MINUTE = 60.0
BRISK = {"poll": 0.2, "pulse": 0.05, "reconcile": 0.2, "probation": 0.5}
"""Settings where only the poison kills; the longer defaults allow for kills in quick succession."""


async def outcome(api: AgentApi, found: dict[str, Thread]) -> dict[str, str]:
    """Return how each thread ended: its status, sealed, or with its tool sealed or in doubt."""
    ends: dict[str, str] = {}
    for name, thread in found.items():
        ends[name] = "sealed" if thread.error_kind == "PoisonedStepError" else thread.status
        errors = [part.get("errorText", "") for part in await tool_parts(api, thread)]
        if any("process ended 3 times" in error for error in errors):
            ends[name] = f"tool sealed, {thread.status}"
        elif any(errors):
            ends[name] = f"tool in doubt, {thread.status}"
    return ends


async def run(colony: Colony, prompts: dict[str, str], within: float = MINUTE) -> dict[str, str]:
    """Let a colony answer these prompts, and return how their threads ended."""
    began = time.monotonic()
    async with colony.open() as api:
        await send(api, prompts)
        ends = await outcome(api, await settled(api, list(prompts), within))
    print(f"{len(prompts)} threads, {colony.deaths} deaths, {time.monotonic() - began:.1f} s")
    return ends


def mixed(innocent: str, poison: str, count: int = 14, poisons: int = 1) -> dict[str, str]:
    """Return many prompts of one kind, with some of another kind among them."""
    prompts = {f"t{n:02}": innocent for n in range(count)}
    return prompts | {f"t{7 + 9 * n:02}x": poison for n in range(poisons)}


def expected(prompts: dict[str, str], innocent: str, poison: str) -> dict[str, str]:
    return {name: poison if name.endswith("x") else innocent for name in prompts}


async def check(path: Path, prompts: dict[str, str], workers: int, innocent: str, poison: str) -> None:
    colony = Colony(prepared(path), workers, settings=BRISK)
    assert await run(colony, prompts) == expected(prompts, innocent, poison)


@pytest.mark.timeout(180)
async def test_poison_among_many_steps_is_sealed(path: Path) -> None:
    await check(path, mixed("say 0.2", "die 0"), 1, "completed", "sealed")


@pytest.mark.postgresql  # SQLite behaves the same
@pytest.mark.timeout(180)
async def test_lethal_tool_among_many_is_sealed(path: Path) -> None:
    await check(path, mixed("call 0.2", "call-die 0"), 1, "completed", "tool sealed, completed")


@pytest.mark.postgresql  # several workers usually share PostgreSQL
@pytest.mark.timeout(180)
async def test_three_workers_find_one_poison(path: Path) -> None:
    await check(path, mixed("say 0.2", "die 0"), 3, "completed", "sealed")


@pytest.mark.sqlite  # PostgreSQL behaves the same
@pytest.mark.timeout(180)
async def test_two_poisons_are_both_sealed(path: Path) -> None:
    await check(path, mixed("say 0.2", "die 0", poisons=2), 1, "completed", "sealed")


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(180)
async def test_turns_of_many_steps_go_on_beside_a_poison(path: Path) -> None:
    """Each next step is fresh when the one before it completes, and runs beside the suspects."""
    await check(path, mixed("work 6", "die 0.1"), 1, "completed", "sealed")


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(180)
async def test_a_poison_that_dies_slowly_is_sealed(path: Path) -> None:
    await check(path, mixed("say 0.4", "die 0.3", count=10), 1, "completed", "sealed")


@pytest.mark.sqlite  # as above
async def test_a_tool_that_may_not_run_again_kills_once(path: Path) -> None:
    """The outcomes of the lethal call and of those beside it are in doubt, so there is no suspect to find."""
    colony = Colony(prepared(path))
    prompts = mixed("once 0.3", "once-die 0.1", count=8)
    doubt = "tool in doubt, completed"
    assert await run(colony, prompts) == expected(prompts, doubt, doubt)
    assert colony.deaths == 1


@pytest.mark.postgresql  # Procrastinate needs PostgreSQL
@pytest.mark.timeout(180)
async def test_an_engine_that_delivers_finds_the_poison_too(path: Path) -> None:
    colony = Colony(prepared(path), workers=2, engine=True, settings=BRISK)
    prompts = mixed("say 0.2", "die 0", count=12)
    assert await run(colony, prompts) == expected(prompts, "completed", "sealed")


async def under_kills(
    colony: Colony, prompts: dict[str, str], kills: int, pause: tuple[float, float]
) -> set[str]:
    """Kill workers from outside, then leave them alone; return the ways in which the threads ended."""
    async with colony.open() as api:
        await send(api, prompts)
        await colony.kill(kills, pause, random.Random(7))
        return set((await outcome(api, await settled(api, list(prompts), MINUTE))).values())


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(180)
async def test_kills_from_outside_seal_nothing(path: Path) -> None:
    prompts = {f"t{n:02}": "work 12" for n in range(20)}
    assert await under_kills(Colony(prepared(path)), prompts, 15, (0.02, 0.4)) == {"completed"}


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(180)
async def test_turn_under_kills_in_quick_succession_is_not_sealed(path: Path) -> None:
    """The step runs alone each time, but its code does not cause the deaths."""
    colony = Colony(prepared(path))
    assert await under_kills(colony, {"t": "say 2"}, 6, (0.1, 0.5)) == {"completed"}


@pytest.mark.sqlite  # as above
async def test_a_worker_that_sleeps_is_no_dead_one(path: Path) -> None:
    """The sleeper's leases expire and another worker goes on, but the step is charged with no crash."""
    colony = Colony(prepared(path), 2, settings={"lease": 1.0, "heartbeat": 0.2, "pulse": 0.05})
    async with colony.open() as api:
        await send(api, {"t": "say 60"})
        await live(api, "t", "Well. ")
        sleeper, *_ = held(path)[0]
        await asyncio.to_thread(put_to_sleep, pid := int(sleeper.split("-")[0]), path)
        try:
            await eventually(lambda: held(path)[0][0] not in (None, sleeper))
            assert held(path)[0][1:] == (None, 0)
        finally:
            os.kill(pid, signal.SIGCONT)
        await api.stop_thread("t")
    assert colony.deaths == 0


# Short enough for each of these deaths to be charged.
IMPATIENT: dict[str, Any] = {"settings": {"probation": 0.1, "pulse": 0.05}}


@pytest.mark.sqlite  # PostgreSQL behaves the same
@pytest.mark.timeout(120)
async def test_a_long_answer_outlives_any_kills_from_outside(path: Path) -> None:
    """The step runs alone in a worker that has lived long enough, which is killed at random moments."""
    colony, dice = Colony(prepared(path), **IMPATIENT), random.Random(5)
    async with colony.open() as api:
        await send(api, {"t": "say 2"})
        for _ in range(6):
            await eventually(lambda: held(path)[0][0] is not None and running(path, colony.deaths + 1))
            await asyncio.sleep(dice.uniform(0.05, 0.8))
            await colony.kill(1, (0, 0), dice)
        ends = await outcome(api, await settled(api, ["t"], MINUTE))
    assert (ends, colony.deaths) == ({"t": "completed"}, 6)


def running(path: Path, attempts: int) -> bool:
    """Return whether the newest of so many attempts at a step has begun."""
    return len(rows(path)["agent_stream"]) == attempts


@pytest.mark.sqlite  # as above
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("poison", "deaths"), [("die 1", 3), ("die-elsewhere 0.2", 12)])
async def test_a_lone_poison_is_sealed(path: Path, poison: str, deaths: int) -> None:
    """The poison dies late by its own code, or in a thread, where it first looks like a kill from outside."""
    colony = Colony(prepared(path), **IMPATIENT)
    assert await run(colony, {"t": poison}) == {"t": "sealed"}
    assert colony.deaths == deaths


def held(path: Path) -> list[tuple[Any, ...]]:
    """Return (worker, company, crashes) of each wake-up, sorted by key."""
    names = WAKE_UP.c.keys()
    places = [names.index(name) for name in ("worker", "company", "crashes")]
    return [tuple(row[place] for place in places) for row in sorted(rows(path)["agent_wake_up"])]


Burial = Callable[[AgentApi, str], Awaitable[object]]


async def by_its_lock(api: AgentApi, worker: str) -> None:
    await api.store.writer.run(api.store.wake_ups.bury, worker)


async def by_its_lease(api: AgentApi, worker: str) -> None:
    expire = functools.partial(api.store.wake_ups.expire, alive=False)
    await api.store.writer.run(expire, worker)  # the lease still holds: nothing happens
    await api.store.writer.run(lambda tx: tx.cursor.execute("update agent_wake_up set next_run_time = 1"))
    await api.store.writer.run(expire, worker)


@pytest.mark.parametrize("bury", [by_its_lock, by_its_lease])
async def test_only_what_ran_is_suspect(path: Path, bury: Burial) -> None:
    """The worker that dies has a running step, a running tool, and a step that waits for a place."""
    pools = {"workpool": Workpool(1), "tool_workpool": Workpool(1)}
    idle: dict[str, Any] = {"runtime": {"work": False}}
    async with agent_on(path, answer, tools=[again, once], runtime=pools) as dying:
        await dying.create_thread("call 30", thread_id="a")
        await eventually(lambda: len(tools_running(path)) == 1)
        await dying.create_thread("say 30", thread_id="b")
        await live(dying, "b", "Well. ")
        await dying.create_thread("say 30", thread_id="c")
        # It would wait in the database: the scheduler may lease work while its place is taken.
        assert await dying.store.writer.run(dying.store.wake_ups.lease, "step:c")
        worker = dying.store.process
        assert held(path) == [(worker, None, 0)] * 3
        async with agent_on(path, answer, **idle) as heir:
            await dying.store.writer.run(lambda _: worker_of(dying)._scheduler.shutdown())  # pyright: ignore[reportPrivateUsage]
            worker_of(dying)._heartbeat.close()  # pyright: ignore[reportPrivateUsage]
            await bury(heir, worker)
            await bury(heir, worker)  # as another worker that saw the death would
        # In order of the keys: the steps of b and c, then the tool call of a.
        assert held(path) == [(None, 1, 0), (None, None, 0), (None, 1, 0)]
        await asyncio.gather(*(dying.stop_thread(name) for name in "abc"))


def tools_running(path: Path) -> list[Any]:
    return [row for row in rows(path)["agent_tool_call"] if "running" in row]


@pytest.mark.sqlite  # needs the folder of the lock files
@pytest.mark.parametrize("leaving", [False, True])
async def test_a_worker_killed_while_it_closes_makes_no_suspects(path: Path, leaving: bool) -> None:
    async with agent_on(path, answer, runtime={"work": False}) as sender:
        await sender.create_thread("say 0.5", thread_id="t")
        await sender.store.writer.run(claimed_by, "w")
    folder = workers_folder(parse_url(url(path)), path)
    assert folder is not None
    folder.mkdir()
    (folder / "w").write_bytes(b"")  # its process is gone, so the lock is free
    if leaving:
        gone = WorkerLocks(folder, "w")
        gone.open()
        gone.leave()
        assert gone._file is not None  # pyright: ignore[reportPrivateUsage]
        gone._file.close()  # pyright: ignore[reportPrivateUsage]
    async with agent_on(path, answer) as heir:
        await eventually(lambda: held(path) and held(path)[0][0] == heir.store.process)
        assert held(path) == [(heir.store.process, None, 0) if leaving else (heir.store.process, 1, 1)]
        assert (await finished(heir, "t")).status == "completed"


@pytest.mark.sqlite  # as above
@pytest.mark.parametrize(("record", "charges"), [("executing", 2), ("waiting", 1), ("leaving", 1)])
async def test_a_charge_from_another_host_is_taken_back(path: Path, record: str, charges: int) -> None:
    """The other host noticed the death first and did not know what was executing; the lock file does."""
    async with agent_on(path, answer, runtime={"work": False}) as sender:
        await sender.create_thread("say 30", thread_id="t")
        charge = "update agent_wake_up set company = 1, crashes = 2, death = 'w', deaths = 2"
        await sender.store.writer.run(lambda tx: tx.cursor.execute(charge))
    dead = WorkerLocks(workers_folder(parse_url(url(path)), path), "w")
    dead.open()
    assert dead.record is not None
    assert dead._file is not None  # pyright: ignore[reportPrivateUsage]
    with dead.record.thread("step:t") if record == "executing" else contextlib.nullcontext():
        if record == "leaving":
            dead.leave()
        dead._file.close()  # pyright: ignore[reportPrivateUsage]
        async with agent_on(path, answer) as heir:
            await eventually(lambda: held(path)[0][0] == heir.store.process)
            assert held(path) == [(heir.store.process, 1, charges)]
            await heir.stop_thread("t")


def claimed_by(tx: Tx, worker: str) -> None:
    tx.cursor.execute(f"update agent_wake_up set worker = '{worker}', next_run_time = next_run_time + 60")
    assert claims.claim(tx, "t", worker, {"assistant"}) is not None


@pytest.mark.sqlite  # as above
async def test_a_worker_that_closed_in_order_makes_no_suspects(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "agent_core.worker.worker._SHUTDOWN_TIMEOUT", 0.2
    )  # the tool would outlast five seconds, too
    async with agent_on(path, answer, tools=[again, once]) as api:
        await api.create_thread("say 30", thread_id="a")
        await live(api, "a", "Well. ")
        await api.create_thread("call 30", thread_id="b")
        await eventually(lambda: len(tools_running(path)) == 1)
    assert held(path) == [(None, None, 0)] * 2


async def test_a_suspect_that_is_given_back_stays_one(path: Path) -> None:
    """A deploy in the middle of the search must not restart the search."""
    async with agent_on(path, answer, runtime={"work": False}) as sender:
        await sender.create_thread("say 30", thread_id="t")
        mark = "update agent_wake_up set company = 4, crashes = 1, death = 'w'"
        await sender.store.writer.run(lambda tx: tx.cursor.execute(mark))
    async with agent_on(path, answer) as api:
        await live(api, "t", "Well. ")
    assert held(path) == [(None, 4, 1)]
    async with agent_on(path, answer, runtime={"work": False}) as api:
        await api.stop_thread("t")
        assert held(path) == []
        await api.resume_thread("t")
        assert held(path) == [(None, None, 0)], "a person has looked at it"
