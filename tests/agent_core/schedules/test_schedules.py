"""Schedules: each run sends one message, whichever worker is there and whatever the clock does."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from agent_core import CallContext, at, cron, define_agent_api, errors, every
from agent_core.schedules.schedule import LATE, MAX_COUNTED, RunPlan, plan_runs
from agent_core.schedules.triggers import Every
from agent_core.store.database.open import opened
from agent_core.store.schedules.owners import count_held, hold_schedules, release_schedules
from agent_core.support.clock import as_datetime
from agent_core.testing import FakeClock, ScriptedModel, eventually
from tests.support.agents import QUICK, agent_on, finished, rows, texts
from tests.support.databases import url
from tests.support.schedules import ran, wake_ups

NOON = 1_750_000_000.0
MINUTE = 60.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


def on(path: Path, clock: FakeClock, turn: Any = None, **options: Any) -> Any:
    """Run an agent that always answers, with `clock` as its clock."""
    runtime = {"clock": clock, **options.pop("runtime", {})}
    model = turn if isinstance(turn, ScriptedModel) else ScriptedModel(turn or (lambda _: ["Well."]))
    return agent_on(path, model, settings=QUICK, runtime=runtime, **options)


async def settled(path: Path, clock: FakeClock) -> None:
    """Wait until no wake-up of a schedule is due or held."""
    await eventually(lambda: all(due > clock.now() and not who for _, due, who in wake_ups(path)))


async def test_a_stopped_thread_leaves_a_schedule_of_the_same_id_alone(path: Path, clock: FakeClock) -> None:
    async with on(path, clock, [["Slow", 30.0]]) as api:
        await api.schedules.create(None, "What is new?", every(hours=1), schedule_id="same")
        await api.create_thread("Go", thread_id="same")
        before = wake_ups(path)
        await api.stop_thread("same")
        assert wake_ups(path) == before
        assert len(before) == 1


async def test_schedules_of_an_owner_are_held_and_go_on_when_released(path: Path, clock: FakeClock) -> None:
    bob, ann = CallContext("bob"), CallContext("ann")
    async with on(path, clock) as api:
        hourly = await api.schedules.create(None, "Bob", every(hours=1), ctx=bob)
        once = await api.schedules.create(None, "Once", at(as_datetime(NOON + 1800)), ctx=bob)
        paused = await api.schedules.create(None, "Paused", every(hours=1), ctx=bob)
        await api.schedules.pause(paused.id, ctx=bob)
        other = await api.schedules.create(None, "Ann", every(hours=1), ctx=ann)
        with opened(url(path), "NORMAL") as database:
            for held in (2, 0):
                with Session(database.writer) as session, session.begin():
                    assert hold_schedules(session, "bob") == held
                    assert count_held(session, ["ann", "bob"]) == {"bob": 2}
            clock.advance(7200)
            await ran(api, other.id, 1)
            await settled(path, clock)
            for released in (2, 0):
                with Session(database.writer) as session, session.begin():
                    assert release_schedules(session, "bob", clock.now()) == released
        found = {each.id: each for each in await api.schedules.list(ctx=bob)}
        assert [found[each.id].status for each in (hourly, once, paused)] == ["active", "over", "paused"]
        assert [each.runs for each in found.values()] == [0, 0, 0]
        clock.advance(3700)
        await ran(api, hourly.id, 1)


EVERY_MINUTE = Every(MINUTE, NOON)
PLANS = {
    "on time": (NOON, NOON + 0.02, "run_once", RunPlan(NOON, NOON + 60, 0)),
    "a little late": (NOON, NOON + 59, "skip", RunPlan(NOON, NOON + 60, 0)),
    "an hour late": (NOON, NOON + 3600, "run_once", RunPlan(NOON, NOON + 3660, 60)),
    "an hour late, skipped": (NOON, NOON + 3630, "skip", RunPlan(NOON + 3600, NOON + 3660, 60)),
}


@pytest.mark.parametrize("case", PLANS)
def test_missed_runs_are_planned_by_the_schedules_policy(case: str) -> None:
    next_at, now, missed, wanted = PLANS[case]
    assert plan_runs(EVERY_MINUTE, next_at, now, missed) == wanted  # type: ignore[arg-type]


def test_skipped_runs_are_only_counted() -> None:
    daily = Every(86400, NOON)
    assert plan_runs(daily, NOON, NOON + LATE + 1, "skip") == RunPlan(None, NOON + 86400, 1)
    once = at("2025-06-15T15:06:40Z")
    assert once.moment == NOON
    assert plan_runs(once, NOON, NOON + LATE + 1, "skip") == RunPlan(None, None, 1)
    assert plan_runs(once, NOON, NOON + 1e6, "run_once") == RunPlan(NOON, None, 0)


def test_missed_runs_of_a_cron_are_counted_up_to_a_limit() -> None:
    found = plan_runs(cron("* * * * *"), NOON - NOON % 60, NOON + 86400 * 30, "run_once")
    assert found.missed == MAX_COUNTED
    assert found.next_at == NOON + 86400 * 30 + 20


async def test_a_reminder_comes_once(path: Path, clock: FakeClock) -> None:
    async with on(path, clock) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        made = await api.schedules.create(thread.id, "Tea!", at("2025-06-15T15:16:40Z"), metadata={"cup": 1})
        assert (made.status, made.runs, made.prompt) == ("active", 0, "Tea!")
        await settled(path, clock)
        assert await texts(api, thread) == ["Hi", "Well."]
        clock.advance(601)
        schedule = await ran(api, made.id, 1)
        await finished(api, thread)
        assert await texts(api, thread) == ["Hi", "Well.", "Tea!", "Well."]
        message = (await api.list_messages(thread.id))[2]
        assert message.metadata == {
            "cup": 1,
            "schedule": made.id,
            "scheduled_at": "2025-06-15T15:16:40+00:00",
        }
        assert (schedule.status, schedule.next_at, schedule.last_thread_id) == ("over", None, thread.id)
        assert schedule.last_at == made.next_at
        assert wake_ups(path) == []


async def test_each_run_makes_a_thread(path: Path, clock: FakeClock) -> None:
    me = CallContext("me")
    async with on(path, clock) as api:
        made = await api.schedules.create(
            None, "What is new?", every(minutes=1), title="News", max_runs=2, metadata={"a": 1}, ctx=me
        )
        for run in (1, 2):
            clock.advance(61)
            schedule = await ran(api, made.id, run)
            assert schedule.last_thread_id is not None
            thread = await finished(api, schedule.last_thread_id)
            assert (thread.title, thread.user_id, thread.metadata["a"]) == ("News", "me", 1)
            assert await texts(api, thread) == ["What is new?", "Well."]
        assert schedule.status == "over"
        clock.advance(3600)
        await settled(path, clock)
        assert len(await api.list_threads()) == 2


async def test_run_is_queued_behind_a_chat_and_only_one_waits(path: Path, clock: FakeClock) -> None:
    go = asyncio.Event()

    async def turn(_messages: list[dict[str, Any]]) -> list[Any]:
        await go.wait()
        return ["Well."]

    async with on(path, clock, turn) as api:
        thread = await api.create_thread("Hi")
        made = await api.schedules.create(thread.id, "Tea!", every(minutes=1))
        for minute in range(1, 4):
            clock.advance(60)

            async def seen(minute: int = minute) -> bool:
                found = await api.schedules.get(made.id)
                assert found is not None
                return found.runs + found.missed_runs == minute

            await eventually(seen)
        found = await api.schedules.get(made.id)
        assert found is not None
        assert (found.runs, found.missed_runs) == (1, 2)
        go.set()
        await finished(api, thread)
        assert await texts(api, thread) == ["Hi", "Well.", "Tea!", "Well."]
        clock.advance(60)
        await ran(api, made.id, 2)


@pytest.mark.parametrize(("missed", "runs", "counted"), [("run_once", 1, 143), ("skip", 0, 144)])
async def test_missed_runs_after_a_day_without_workers_follow_the_policy(
    path: Path, clock: FakeClock, missed: Any, runs: int, counted: int
) -> None:
    async with on(path, clock) as api:
        thread = await api.create_thread()
        made = await api.schedules.create(thread.id, "Tea!", every(minutes=10), missed=missed)
    clock.advance(86400 + 120)
    async with on(path, clock) as api:
        await settled(path, clock)
        schedule = await ran(api, made.id, runs)
        await finished(api, thread)
        assert await texts(api, thread) == ["Tea!", "Well."] * runs
        assert schedule.missed_runs == counted
        assert schedule.next_at is not None
        assert schedule.next_at.timestamp() == NOON + 86400 + 600


async def test_a_schedule_is_paused_resumed_changed_run_now_and_deleted(path: Path, clock: FakeClock) -> None:
    async with on(path, clock) as api:
        thread = await api.create_thread()
        made = await api.schedules.create(thread.id, "Tea!", every(minutes=10))
        assert (await api.schedules.pause(made.id)).status == "paused"
        assert wake_ups(path) == []
        clock.advance(3600)
        await settled(path, clock)
        resumed = await api.schedules.resume(made.id)
        assert resumed.next_at is not None
        assert (resumed.status, resumed.next_at.timestamp()) == ("active", NOON + 4200)
        await api.schedules.run_now(made.id)
        schedule = await ran(api, made.id, 1)
        assert (schedule.next_at, schedule.missed_runs) == (resumed.next_at, 0)
        await finished(api, thread)
        changed = await api.schedules.update(made.id, prompt="Coffee!", trigger=every(minutes=1), title="Cup")
        assert (changed.prompt, changed.title, changed.trigger) == (
            "Coffee!",
            "Cup",
            Every(60.0, clock.now() + 60),
        )
        clock.advance(61)
        await ran(api, made.id, 2)
        await finished(api, thread)
        assert await texts(api, thread) == ["Tea!", "Well.", "Coffee!", "Well."]
        await api.schedules.delete(made.id)
        assert await api.schedules.get(made.id) is None
        assert wake_ups(path) == []
        for method in (
            api.schedules.pause,
            api.schedules.resume,
            api.schedules.run_now,
            api.schedules.delete,
        ):
            with pytest.raises(errors.ScheduleNotFoundError, match="There is no schedule"):
                await method(made.id)


async def test_schedule_whose_time_has_passed_is_not_resumed(path: Path, clock: FakeClock) -> None:
    async with on(path, clock) as api:
        made = await api.schedules.create(None, "Tea!", at("2025-06-15T15:16:40Z"))
        await api.schedules.pause(made.id)
        clock.advance(3600)
        with pytest.raises(errors.ValidationError, match="never comes due"):
            await api.schedules.resume(made.id)
        again = await api.schedules.update(made.id, trigger=at("2025-06-15T17:00Z"))
        assert (again.status, wake_ups(path)) == ("paused", [])
        assert (await api.schedules.resume(made.id)).status == "active"


async def test_a_schedule_survives_a_stop_of_its_thread_but_no_deletion(path: Path, clock: FakeClock) -> None:
    async with on(path, clock, lambda _: [60.0]) as api:
        thread = await api.create_thread("Hi")
        made = await api.schedules.create(thread.id, "Tea!", every(minutes=10))
        await api.stop_thread(thread.id)
        assert wake_ups(path) == [(f"schedule:{made.id}", NOON + 600, None)]
        other = await api.schedules.create(None, "Tea!", every(minutes=10))
        await api.delete_thread(thread.id)
        assert await api.schedules.list() == [other]
        assert wake_ups(path) == [(f"schedule:{other.id}", NOON + 600, None)]


async def test_callback_decides_who_may_schedule(path: Path, clock: FakeClock) -> None:
    me, you = CallContext("me"), CallContext("you")

    async def authorize(ctx: CallContext | None, thread_id: str) -> None:
        if ctx is None or not thread_id.startswith(ctx.user_id or "?"):
            raise errors.AccessDeniedError("Not yours.")

    async with on(path, clock) as internal:
        api = define_agent_api(internal.store, internal.agent, authorize)
        await api.create_thread(thread_id="me1", ctx=me)
        with pytest.raises(errors.AccessDeniedError):
            await api.schedules.create("me1", "Tea!", every(minutes=1), ctx=you)
        bound = await api.schedules.create("me1", "Tea!", every(minutes=1), ctx=me)
        free = await api.schedules.create(None, "Tea!", every(minutes=1), ctx=me, schedule_id="mine")
        for made in (bound, free):
            for who in (you, None):
                for method in (
                    *(api.schedules.get, api.schedules.pause, api.schedules.resume),
                    *(api.schedules.run_now, api.schedules.update, api.schedules.delete),
                ):
                    with pytest.raises(errors.AccessDeniedError):
                        await method(made.id, ctx=who)
            assert await api.schedules.get(made.id, ctx=me) == made
        with pytest.raises(errors.AccessDeniedError):
            await api.schedules.create(None, "Mine now", every(minutes=2), schedule_id="mine", ctx=you)
        assert {s.id for s in await api.schedules.list(ctx=me)} == {bound.id, "mine"}
        assert await api.schedules.list(ctx=you) == await api.schedules.list() == []
        with pytest.raises(errors.AccessDeniedError):
            await api.schedules.list("me1", ctx=you)
        assert len(await internal.schedules.list()) == 2


async def test_schedule_made_twice_under_one_id_is_one(path: Path, clock: FakeClock) -> None:
    async with on(path, clock) as api:
        first = await api.schedules.create(None, "Tea!", every(minutes=1), schedule_id="s")
        assert await api.schedules.create(None, "Coffee!", every(hours=1), schedule_id="s") == first
        assert len(wake_ups(path)) == 1


BAD: dict[str, tuple[type[Exception], dict[str, Any]]] = {
    "blank": (errors.ValidationError, {"prompt": " "}),
    "made by cron": (errors.ValidationError, {"trigger": "0 9 * * *"}),
    "never comes due": (errors.ValidationError, {"trigger": at("2020-01-01T00:00Z")}),
    "never comes due: ": (errors.ValidationError, {"trigger": cron("0 0 31 2 *")}),
    "run_once": (errors.ValidationError, {"missed": "all"}),
    "at least 1": (errors.ValidationError, {"max_runs": 0}),
    "no colon": (errors.ValidationError, {"schedule_id": "a:b"}),
    "at most 100": (errors.ValidationError, {"schedule_id": "a" * 101}),
    "plain JSON": (errors.ValidationError, {"metadata": [1]}),
    "There is no thread": (errors.ThreadNotFoundError, {"thread_id": "nowhere"}),
}


@pytest.mark.parametrize("words", BAD)
async def test_a_bad_argument_makes_nothing(path: Path, clock: FakeClock, words: str) -> None:
    kind, change = BAD[words]
    given: dict[str, Any] = {"thread_id": None, "prompt": "Tea!", "trigger": every(minutes=1), **change}
    async with on(path, clock) as api:
        with pytest.raises(kind, match=words):
            await api.schedules.create(**given)
        assert await api.schedules.list() == []
    assert rows(path)["agent_wake_up"] == []
