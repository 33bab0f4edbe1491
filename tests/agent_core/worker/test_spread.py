"""Work spreads over real worker processes: what is sent at once, what a death frees, and what a new worker finds."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Runtime, Workpool, define_internal_agent_api
from agent_core.domain.states import StreamStatus
from agent_core.store.database.sql import STREAM, WAKE_UP, WORKER, load
from agent_core.testing import eventually
from tests.chaos.colony import Colony, agent, send, settled
from tests.support.agents import agent_on, finished, rows, runtime_of
from tests.support.databases import prepared

THREADS = 60
ROUNDS = 5
SHARE = 0.45
"""Largest part of the steps that one of three workers may do."""


@pytest.fixture
def colony(path: Path) -> Colony:
    return Colony(prepared(path), workers=3, restarts=False)


def table(path: Path, of: Any) -> list[dict[str, Any]]:
    return [dict(zip(of.c.keys(), row, strict=True)) for row in rows(path, of)[of.name]]


def living(path: Path) -> list[str]:
    """Return the workers that have announced themselves and their agent."""
    return [row["name"] for row in table(path, WORKER) if load(row["agents"]) == ["assistant"]]


def steps(path: Path) -> Counter[str]:
    """Return the number of committed steps of each worker."""
    committed = StreamStatus.COMMITTED.value
    return Counter(row["worker"] for row in table(path, STREAM) if row["status"] == committed)


def held(path: Path) -> Counter[str]:
    """Return the number of threads of which each worker holds a lease."""
    leases = {(row["thread_id"], row["worker"]) for row in table(path, WAKE_UP) if row["worker"]}
    return Counter(worker for _, worker in leases)


def prompts(prompt: str) -> dict[str, str]:
    return {f"t{number}": prompt for number in range(THREADS)}


async def all_done(api: AgentApi) -> None:
    found = await settled(api, list(prompts("")), 100)
    assert Counter(thread.status for thread in found.values()) == {"completed": THREADS}


async def test_work_sent_at_once_is_shared(path: Path, colony: Colony) -> None:
    async with colony.open() as api:
        await eventually(lambda: len(living(path)) == 3)
        await send(api, prompts(f"work {ROUNDS}"))
        await all_done(api)
    done = steps(path)
    assert done.total() == THREADS * (ROUNDS + 1)
    assert len(done) == 3
    assert max(done.values()) <= SHARE * done.total(), done


async def test_a_worker_that_sends_leaves_their_share_to_others(path: Path, colony: Colony) -> None:
    """The sender, which works too, must not lease all that it sends."""
    colony.workers, colony.sender_works = 2, True
    async with colony.open() as api:
        worker: Any = api.store.wake_ups.worker
        await eventually(lambda: worker.peers == 2)
        await send(api, prompts(f"work {ROUNDS}"))
        await all_done(api)
    done = steps(path)
    assert len(done) == 3
    assert max(done.values()) <= SHARE * done.total(), done


async def test_the_work_of_a_dead_worker_is_shared(path: Path, colony: Colony) -> None:
    async with colony.open() as api:
        await eventually(lambda: len(living(path)) == 3)
        await send(api, prompts("say 300"))
        await eventually(lambda: held(path).total() == THREADS)
        before = held(path)
        assert max(before.values()) <= SHARE * THREADS, before
        colony.children[0].kill()

        def shared() -> bool:
            now = held(path)
            return len(now) == 2 and now.total() >= THREADS - 1

        await eventually(shared)
        now = held(path)
        assert max(now.values()) <= 0.6 * THREADS, (before, now)
        assert len(living(path)) == 2


async def test_a_worker_that_joins_gets_its_part_of_long_turns(path: Path, colony: Colony) -> None:
    """Turns begin on the only worker; their next steps go to those that start later."""
    async with colony.open() as api:
        for child in colony.children[1:]:
            child.kill()
        await eventually(lambda: len(living(path)) == 1)
        await send(api, prompts("work 400"))
        await eventually(lambda: held(path).total() == THREADS)
        later = Colony(colony.url, workers=2, engine=colony.engine, restarts=False)
        async with later.open():
            await eventually(lambda: len(held(path)) == 3 and max(held(path).values()) <= SHARE * THREADS, 40)
            await asyncio.gather(*(api.stop_thread(name) for name in prompts("")))


async def test_workers_of_other_agents_get_no_part(path: Path) -> None:
    """A worker that lacks an agent cannot run its turns, so none is left to it."""
    async with Runtime(prepared(path)) as other, Runtime(prepared(path)) as runtime:
        api = define_internal_agent_api(runtime, agent())
        await eventually(lambda: len(living(path)) == 1 and len(table(path, WORKER)) == 2)
        await send(api, prompts("say 0.1"))
        assert set(held(path)) == {runtime.store.process}
        await all_done(api)
        assert set(steps(path)) == {runtime.store.process} != {other.store.process}
    assert table(path, WORKER) == [], "a worker that closes is not counted"


async def test_turns_without_a_place_wait_in_the_database(path: Path) -> None:
    """Where any worker may take them, and a death does not suspect them."""
    go = asyncio.Event()

    async def turn(_messages: list[dict[str, Any]]) -> list[Any]:
        await go.wait()
        return ["Well."]

    async with agent_on(path, turn, runtime={"workpool": Workpool(2)}) as api:
        threads = await asyncio.gather(*(api.create_thread(f"{number}") for number in range(9)))
        await eventually(lambda: held(path) == {api.store.process: 2})
        assert (await runtime_of(api).queue())["steps"].waiting == 0
        go.set()
        for thread in threads:
            assert (await finished(api, thread)).status == "completed"
