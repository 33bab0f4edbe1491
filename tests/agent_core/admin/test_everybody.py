"""Usage, schedules and storage of everybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, CallContext, define_agent_api, errors, every
from agent_core.llm import Usage
from agent_core.store.insight import storage
from agent_core.testing import FakeClock
from tests.support.agents import QUICK, agent_on, finished, prepare

ANN, BOB = CallContext("ann"), CallContext("bob")
DAY = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def priced(messages: list[dict[str, Any]]) -> list[Any]:
    return ["Yes.", Usage(10, 5, 15, cost=float(messages[-1]["content"]))]


async def test_usage_is_added_up_by_user_the_most_expensive_first(path: Path) -> None:
    async with agent_on(path, priced, settings=QUICK) as api:
        since = datetime.now(UTC) - timedelta(days=1)
        assert (await api.admin.usage(since=since)).by_user == {}
        for cost, ctx in (("0.5", ANN), ("0.25", ANN), ("2", BOB), ("1", None)):
            await finished(api, await api.create_thread(cost, ctx=ctx))
        found = await api.admin.usage(since=since)
        assert {user: tally.cost for user, tally in found.by_user.items()} == {"bob": 2, "": 1, "ann": 0.75}
        assert list(found.by_user) == ["bob", "", "ann"]
        assert (found.total.requests, found.total.cost, found.by_user["ann"].total_tokens) == (4, 3.75, 30)
        assert list((await api.admin.usage(since=since, limit=1)).by_user) == ["bob"]
        assert (await api.admin.usage(since=since + timedelta(days=2))).by_user == {}
        await api.delete_thread((await api.list_threads(user_id="bob"))[0].id)
        assert (await api.admin.usage(since=since)).by_user["bob"].cost == 2, "what was spent stays"


async def test_schedules_of_all_owners_show_their_last_result_and_are_changed(path: Path) -> None:
    def turns(messages: list[dict[str, Any]]) -> list[Any]:
        return [errors.ModelError("Incorrect API key.", kind="auth")] if "bad" in str(messages) else ["Yes."]

    async with agent_on(path, turns, settings=QUICK) as api:
        assert await api.admin.schedules() == []
        for name, ctx, hours in (("good", ANN, 2), ("bad", BOB, 1), ("new", None, 3)):
            await api.schedules.create(None, name, every(hours=hours), schedule_id=name, ctx=ctx)
        for name, ctx in (("good", ANN), ("bad", BOB)):
            run = await api.schedules.run_now(name, ctx=ctx)
            assert run.last_thread_id
            await finished(api, run.last_thread_id)
        found = {each.schedule.id: each for each in await api.admin.schedules()}
        assert list(found) == ["bad", "good", "new"]
        assert [(each.last_status, each.last_error) for each in found.values()] == [
            *(("failed", "Incorrect API key."), ("completed", None), (None, None))
        ]
        assert found["bad"].schedule.user_id == "bob"
        assert [each.schedule.id for each in await api.admin.schedules(limit=2)] == ["bad", "good"]

        await api.admin.pause_schedule("bad")
        await api.admin.pause_schedule("bad")
        assert (await api.admin.schedules())[0].schedule.paused
        await api.admin.resume_schedule("bad")
        await api.admin.delete_schedule("good")
        assert [each.schedule.id for each in await api.admin.schedules()] == ["bad", "new"]
        for method in (api.admin.pause_schedule, api.admin.resume_schedule, api.admin.delete_schedule):
            for wrong in ("good", "\x00", "x" * 100_000):
                with pytest.raises(errors.ScheduleNotFoundError):
                    await method(wrong)


async def test_storage_has_every_kind_and_what_is_deleted_next(path: Path) -> None:
    clock = FakeClock()
    runtime = {"delete_after": 30 * DAY, "clock": clock, "work": False}
    async with agent_on(path, [], runtime=runtime) as api:
        for days, count in ((40, 1), (25, 2), (1, 4)):
            clock.advance(-days * DAY)
            for _ in range(count):
                await api.create_thread(messages=[{"role": "user", "content": "Hi"}])
            clock.advance(days * DAY)
        pinned = (await api.list_threads())[-1]
        found = await api.admin.storage()
        (expiry,) = found.expiries
        assert (expiry.agent, expiry.keep, expiry.due, expiry.soon) == ("assistant", 30 * DAY, 1, 3)
        await api.update_thread(pinned.id, pinned=True)
        await api.delete_thread((await api.list_threads())[0].id, undo_for=60)
        found = await api.admin.storage()
        (expiry,) = found.expiries
        assert (expiry.due, expiry.soon, found.in_bin) == (0, 2, 1)
        kinds = {kind.kind: kind for kind in found.kinds}
        assert set(kinds) == {*storage._KINDS, "other"}  # pyright: ignore[reportPrivateUsage]
        assert all(kind.size is not None and kind.size > 0 for kind in kinds.values() if kind.kind != "other")
        assert sum(kind.size or 0 for kind in found.kinds) <= found.size
        if api.store.path is not None:
            assert (kinds["threads"].rows, kinds["messages"].rows) == (7, 7)
            assert found.wal is not None
            assert found.wal > 0
        else:
            assert (found.wal, found.free) == (None, None)


@pytest.mark.sqlite
async def test_storage_is_reported_without_dbstat_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "_SIZES", storage.text("SELECT name, pgsize FROM no_such_table"))
    async with agent_on(path, [], runtime={"work": False}) as api:
        await api.create_thread("Hi")
        found = await api.admin.storage()
        assert {kind.size for kind in found.kinds} == {None}
        assert {kind.kind: kind.rows for kind in found.kinds}["threads"] == 1
        assert [(each.keep, each.due) for each in found.expiries] == [(None, 0)]


CALLS: dict[str, Callable[[AgentApi, CallContext], Any]] = {
    "usage": lambda api, ctx: api.admin.usage(since=datetime.now(UTC), ctx=ctx),
    "schedules": lambda api, ctx: api.admin.schedules(ctx=ctx),
    "pause": lambda api, ctx: api.admin.pause_schedule("s", ctx=ctx),
    "resume": lambda api, ctx: api.admin.resume_schedule("s", ctx=ctx),
    "delete": lambda api, ctx: api.admin.delete_schedule("s", ctx=ctx),
    "storage": lambda api, ctx: api.admin.storage(ctx=ctx),
    "failed": lambda api, ctx: api.admin.failed_threads(ctx=ctx),
    "retry": lambda api, ctx: api.admin.retry_failed({"t": 1}, ctx=ctx),
    "retry all": lambda api, ctx: api.admin.retry_all_failed(ctx=ctx),
    "work": lambda api, ctx: api.admin.work(ctx=ctx),
}


@pytest.mark.sqlite  # no database decides
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_users_have_no_access_unless_the_callback_allows_it(
    call: Callable[[AgentApi, CallContext], Any], path: Path
) -> None:
    async with agent_on(path, [], runtime={"work": False}) as internal:
        api = define_agent_api(internal.store, internal.agent)
        with pytest.raises(errors.AccessDeniedError, match="belongs to everybody"):
            await call(api, ANN)
