"""Helpers for the tests of schedules: overdue schedules, and a worker process that runs them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api, every
from agent_core.schedules.schedule import Schedule
from agent_core.support import faults
from agent_core.testing import FakeClock, ScriptedModel, eventually
from tests.support.agents import QUICK, agent_on, rows
from tests.support.processes.children import FORKED


async def ran(api: AgentApi, schedule_id: str, runs: int, timeout: float = 20) -> Schedule:
    """Wait until a schedule has had `runs` runs, and return it."""

    async def found() -> Schedule | None:
        schedule = await api.schedules.get(schedule_id)
        assert schedule is not None
        assert schedule.runs <= runs, schedule
        return schedule if schedule.runs == runs else None

    return await eventually(found, timeout)  # type: ignore[return-value]


def wake_ups(path: Path) -> list[tuple[str, float, str | None]]:
    """Return key, time and holder of the wake-ups of schedules."""
    found = rows(path)["agent_wake_up"]
    return sorted((row[0], row[1], row[4]) for row in found if row[0].startswith("schedule:"))


async def make_overdue(path: Path, thread_id: str | None) -> Schedule:
    """Create an hourly schedule "s" that came due ten minutes ago, for the thread if one is named."""
    clock = FakeClock(float(int(time.time()) - 4200))
    async with agent_on(path, [], runtime={"clock": clock, "work": False}) as api:
        if thread_id is not None:
            await api.create_thread(thread_id=thread_id)
        return await api.schedules.create(
            thread_id, "What is new?", every(hours=1), schedule_id="s", title="News"
        )


def spawn(database_url: str, die_at: str | None = None) -> ForkServerProcess:
    """Start a worker that ends when the schedule "s" has run and its thread is idle."""
    process = FORKED.Process(target=_work, args=(database_url, die_at), daemon=True)
    process.start()
    return process


def _work(database_url: str, die_at: str | None) -> None:
    if die_at is not None:
        faults.install(die_at, lambda: os.kill(os.getpid(), signal.SIGKILL))
    asyncio.run(_main(database_url))


async def _main(database_url: str) -> None:
    def turn(_messages: list[dict[str, Any]]) -> list[Any]:
        return ["Nothing."]

    async with Runtime(database_url, settings=QUICK) as runtime:
        api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel(turn)))
        schedule = await ran(api, "s", 1, 20)
        assert schedule.last_thread_id is not None
        await api.wait_until_idle(schedule.last_thread_id, 20)
