"""Heartbeats: nothing delays them, and nobody is declared dead who had no chance to send one."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from agent_core import action_tool
from agent_core.store.database.sql import WORKER
from agent_core.store.database.transaction import Tx
from agent_core.store.wake_ups.wake_ups import Released
from agent_core.testing import ToolUse, eventually
from tests.support.agents import EAGER, QUICK, agent_on, rows, runtime_of, worker_of

LONG = 3600.0  # seconds


def seen_at(path: Path) -> float:
    ((row),) = rows(path, WORKER)["agent_worker"]
    return row[WORKER.c.keys().index("seen_at")]


async def test_heartbeats_do_not_wait_for_reads(path: Path) -> None:
    """All connections of the readers are taken, so the scheduler and its duties wait for one."""
    async with agent_on(path, [], settings=QUICK) as api:
        with contextlib.ExitStack() as stack:
            pool = api.store.engine.pool
            for _ in range(pool.size() + pool._max_overflow):  # pyright: ignore[reportPrivateUsage, reportAttributeAccessIssue]
                stack.enter_context(contextlib.closing(await asyncio.to_thread(pool.connect)))
            for _ in range(3):
                before = seen_at(path)
                await eventually(lambda before=before: seen_at(path) > before)


async def test_work_of_a_worker_that_died_while_it_drained_is_not_suspect(path: Path) -> None:
    """A supervisor kills a process that takes too long to end; other hosts do not see its lock file."""
    runs = asyncio.Event()

    @action_tool(rerun_on_interrupt=True)
    async def wait() -> str:
        """Wait for ever."""
        runs.set()
        await asyncio.Event().wait()
        return ""

    async with agent_on(path, [[ToolUse("wait")]], tools=[wait], settings=EAGER) as api:
        await api.create_thread("Hi")
        await runs.wait()
        drain = asyncio.create_task(runtime_of(api).drain(LONG))
        await eventually(lambda: worker_of(api).is_draining)
        await eventually(lambda: not rows(path, WORKER)["agent_worker"])
        store = api.store

        def expire(tx: Tx) -> Released:
            tx.cursor.execute("update agent_wake_up set next_run_time = 0")
            return store.wake_ups.expire(tx, store.process, alive=False)

        assert await store.writer.run(expire) == Released(1, 0)
        drain.cancel()
