"""Schedules under crashes, racing workers, broken rows and clock jumps."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import agent_core
from agent_core import Agent, AgentApi, Runtime, define_internal_agent_api, every
from agent_core.domain.wake_ups.wake_up_key import schedule_key
from agent_core.schedules.schedule import Schedule
from agent_core.schedules.triggers import At
from agent_core.store.database.sql import SCHEDULE
from agent_core.store.schedules import runs
from agent_core.support.faults import SCHEDULE_POINTS
from agent_core.testing import FakeClock, ScriptedModel, eventually
from tests.support.agents import QUICK, agent_on, finished, rows, texts, worker_of
from tests.support.databases import url
from tests.support.schedules import make_overdue, ran, spawn, wake_ups

NOON = 1_750_000_000.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


def on(path: Path, clock: FakeClock, **options: Any) -> Any:
    """Run an agent that always answers, with `clock` as its clock."""
    return agent_on(path, lambda _: ["Well."], settings=QUICK, runtime={"clock": clock}, **options)


async def harm(api: AgentApi, sql: str) -> None:
    """Run SQL on the database, as a manual edit would."""
    await api.store.writer.run(lambda tx: tx.cursor.execute(sql).rowcount)


@pytest.mark.parametrize("thread_id", ["t", None])
@pytest.mark.parametrize("point", [*SCHEDULE_POINTS, "send.inside"])
async def test_run_goes_on_in_the_next_process_after_a_crash(
    path: Path, point: str, thread_id: str | None
) -> None:
    schedule = await make_overdue(path, thread_id)
    assert schedule.next_at is not None
    child = spawn(url(path), point)
    child.join(60)
    assert child.exitcode == -9, f"{point} was not reached"
    child = spawn(url(path))
    child.join(60)
    assert child.exitcode == 0
    name = runs.run_id("s", schedule.next_at.timestamp())
    async with agent_on(path, [], runtime={"work": False}) as api:
        after = await ran(api, "s", 1)
        assert after.last_thread_id == (thread_id or name)
        messages = await api.list_messages(thread_id or name)
        assert [(m.role, m.text) for m in messages] == [("user", "What is new?"), ("assistant", "Nothing.")]
        assert messages[0].id == name
        assert len(await api.list_threads()) == 1
        assert after.next_at is not None
        assert wake_ups(path) == [("schedule:s", after.next_at.timestamp(), None)]
        assert after.next_at.timestamp() > time.time()


def test_every_crash_point_is_in_the_code() -> None:
    code = "".join(path.read_text() for path in Path(agent_core.__file__).parent.rglob("*.py"))
    for name in SCHEDULE_POINTS:
        assert f'crash_point("{name}")' in code


async def test_two_workers_do_each_run_once(path: Path, clock: FakeClock) -> None:
    """Both workers take due work as often as they can, and both get each run as if they held its lease."""
    times = 12
    async with on(path, clock) as one, on(path, clock) as two:
        thread = await one.create_thread()

        async def idle() -> bool:
            found = await one.get_thread(thread.id)
            return found is not None and found.status == "completed"

        await one.schedules.create(thread.id, "Tea!", every(minutes=1), schedule_id="s")
        for run in range(1, times + 1):
            clock.advance(60)
            for api in (one, two):  # as if each worker had the lease
                worker_of(api)._deliver(schedule_key("s"))  # pyright: ignore[reportPrivateUsage]
            await ran(two, "s", run)
            await eventually(idle)
        assert await texts(one, thread) == ["Tea!", "Well."] * times
        ids = [m.id for m in await one.list_messages(thread.id) if m.role == "user"]
        assert ids == [runs.run_id("s", NOON + 60 * n) for n in range(1, times + 1)]


async def test_two_workers_with_a_stale_read_advance_a_schedule_once(path: Path, clock: FakeClock) -> None:
    """Only the fence is tested: on PostgreSQL a worker may have read the row before the other wrote it."""
    async with on(path, clock) as api:
        await api.schedules.create(None, "Tea!", every(minutes=1), schedule_id="s", max_runs=9)

        def late(tx: Any) -> tuple[bool, int]:
            row = runs.locked(tx, "s")
            assert row is not None
            tx.now = NOON + 61
            trigger = At(NOON + 60)
            runs._run(tx, row, trigger, NOON + 60)  # pyright: ignore[reportPrivateUsage]
            runs._run(tx, row, trigger, NOON + 60)  # pyright: ignore[reportPrivateUsage]
            again = runs.locked(tx, "s")
            assert again is not None
            return again.next_at is None, again.runs

        assert await api.store.writer.run(late) == (True, 1)


async def test_a_wake_up_that_is_gone_is_made_again(path: Path, clock: FakeClock) -> None:
    async with on(path, clock) as api:
        await api.schedules.create(None, "Tea!", every(minutes=1), schedule_id="s")
        paused = await api.schedules.create(None, "Tea!", every(minutes=1))
        await api.schedules.pause(paused.id)
        await harm(api, "delete from agent_wake_up")
        clock.advance(61)
        await ran(api, "s", 1)
        assert [key for key, *_ in wake_ups(path)] == ["schedule:s"]


async def test_a_schedule_waits_until_its_agent_is_defined(path: Path, clock: FakeClock) -> None:
    """The next check comes after a pause, so waiting for the agent is not a busy loop."""
    async with on(path, clock) as api:
        stranger = define_internal_agent_api(api.store, Agent("stranger", ScriptedModel([["Well."]])))
        await stranger.schedules.create(None, "Tea!", every(hours=1), schedule_id="s")
    async with on(path, clock) as api:
        clock.advance(3600)

        async def waits() -> Schedule | None:
            found = await api.schedules.get("s")
            return found if found and found.error else None

        found = await eventually(waits)
        assert found is not None
        assert (found.runs, found.status) == (0, "active")
        assert found.error == "No agent 'stranger' is defined in the process that checked the schedule."
        assert wake_ups(path) == [("schedule:s", NOON + 3615, None)]
        define_internal_agent_api(api.store, Agent("stranger", ScriptedModel([["Well."]])))
        clock.advance(16)
        found = await ran(api, "s", 1)
        assert found.error is None
        assert (await finished(api, found.last_thread_id or "")).agent == "stranger"


BROKEN = {
    "no longer exists": "update agent_schedule set thread_id = 'gone'",
    "is no trigger": 'update agent_schedule set trigger = \'{"type":"lunar"}\'',
    "is not a time zone": "update agent_schedule set trigger = "
    '\'{"type":"cron","expression":"* * * * *","timezone":"Atlantis"}\'',
}


@pytest.mark.parametrize("words", BROKEN)
async def test_run_that_cannot_start_is_over_and_says_why(path: Path, clock: FakeClock, words: str) -> None:
    async with on(path, clock) as api:
        thread = await api.create_thread()
        await api.schedules.create(thread.id, "Tea!", every(hours=1), schedule_id="s")
        await harm(api, BROKEN[words])
        clock.advance(3601)

        async def over() -> Schedule | None:
            (found,) = await api.schedules.list()
            return found if found.status == "over" else None

        found = await eventually(over)
        assert found is not None
        assert words in (found.error or "")
        assert (found.runs, wake_ups(path)) == (0, [])


async def test_run_that_fails_oddly_waits(
    path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with on(path, clock) as api:
        await api.schedules.create(None, "Tea!", every(hours=1), schedule_id="s")
        await harm(api, "update agent_schedule set parts = 'nonsense'")
        clock.advance(3600)
        # The wake-up is neither held nor due, so no worker is busy with it. It may have been delivered twice
        # before: one taken during a round of the reconciler is delivered by the reconciler, too.
        await eventually(lambda: wake_ups(path) == [("schedule:s", NOON + 3615, None)])
        assert await api.list_threads() == []
        (found,) = rows(path, SCHEDULE)[SCHEDULE.name]
        assert any("Expecting value" in str(column) for column in found), "its row does not say why"
    assert "Schedule s: the run failed." in caplog.text


async def test_a_clock_that_is_set_back_repeats_nothing(path: Path, clock: FakeClock) -> None:
    async with on(path, clock) as api:
        thread = await api.create_thread()
        await api.schedules.create(thread.id, "Tea!", every(minutes=10), schedule_id="s")
        clock.advance(601)
        await ran(api, "s", 1)
        await finished(api, thread)
        clock.advance(-3600)
        # Even if the rows name the old moment again.
        await harm(api, f"update agent_schedule set next_at = {NOON + 600}")
        await harm(api, f"update agent_wake_up set next_run_time = {NOON + 600}")
        clock.advance(3600)
        await ran(api, "s", 2)
        await finished(api, thread)
        assert await texts(api, thread) == ["Tea!", "Well."]


async def test_schedule_runs_at_its_interval_by_the_real_clock(database_url: str) -> None:
    async with Runtime(database_url) as runtime:
        agent = Agent("assistant", ScriptedModel(lambda _: ["Well."]))
        api = define_internal_agent_api(runtime, agent)
        began = time.time()
        made = await api.schedules.create(None, "Tea!", every(seconds=1), max_runs=2)
        schedule = await ran(api, made.id, 2)
        assert time.time() - began >= 2
        assert schedule.status == "over"
        assert len(await api.list_threads()) == 2
