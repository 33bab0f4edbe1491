"""Run history of schedules, read from the messages of the runs without rows of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_core import CallContext, at, errors, every
from agent_core.testing import FakeClock, ScriptedModel
from tests.support.agents import QUICK, agent_on, finished
from tests.support.schedules import ran

NOON = 1_750_000_000.0


def on(path: Path, clock: FakeClock) -> Any:
    return agent_on(path, ScriptedModel(lambda _: ["Well."]), settings=QUICK, runtime={"clock": clock})


async def test_runs_that_made_threads_newest_first_and_run_now_among_them(path: Path) -> None:
    clock = FakeClock(NOON)
    async with on(path, clock) as api:
        # Another schedule with the same prefix in its id, and one whose id is a LIKE pattern.
        other = await api.schedules.create(None, "Other", every(minutes=1), schedule_id="a-1")
        made = await api.schedules.create(None, "News", every(minutes=1), schedule_id="a")
        pattern = await api.schedules.create(None, "Pattern", every(hours=1), schedule_id="_")
        assert await api.schedules.runs(made.id) == []
        for run in (1, 2):
            clock.advance(60)
            await ran(api, made.id, run)
            await ran(api, other.id, run)
        clock.advance(5)
        await api.schedules.run_now(made.id)
        runs = await api.schedules.runs(made.id)
        assert [run.due_at.timestamp() - NOON for run in runs] == [125, 120, 60]
        for run in runs:
            thread = await finished(api, run.thread_id)
            assert (thread.id, thread.metadata["schedule"]) == (run.message_id, made.id)
        assert [run.to_dict() for run in await api.schedules.runs(made.id, limit=1)] == [runs[0].to_dict()]
        assert len(await api.schedules.runs(other.id)) == 2
        assert await api.schedules.runs(pattern.id) == []
        await api.delete_thread(runs[1].thread_id)
        assert [run.message_id for run in await api.schedules.runs(made.id)] == [
            runs[0].message_id,
            runs[2].message_id,
        ]


async def test_runs_in_one_thread_and_one_that_still_waits(path: Path) -> None:
    clock = FakeClock(NOON)
    async with on(path, clock) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        made = await api.schedules.create(thread.id, "Tea!", at("2025-06-15T15:16:40Z"))
        clock.advance(601)
        await ran(api, made.id, 1)
        await finished(api, thread)
        (run,) = await api.schedules.runs(made.id)
        assert (run.thread_id, run.queued, run.due_at.timestamp()) == (thread.id, False, NOON + 600)
        assert run.message_id in {message.id for message in await api.list_messages(thread.id)}


async def test_runs_are_read_by_those_who_may(path: Path) -> None:
    async with on(path, FakeClock(NOON)) as api:
        made = await api.schedules.create(None, "News", every(minutes=1), ctx=CallContext("me"))
        with pytest.raises(errors.AccessDeniedError):
            await api.schedules.runs(made.id, ctx=CallContext("you"))
        with pytest.raises(errors.ScheduleNotFoundError):
            await api.schedules.runs("none")
        with pytest.raises(errors.ValidationError, match="at least 1"):
            await api.schedules.runs(made.id, limit=0)
