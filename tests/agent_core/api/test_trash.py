"""Trash: a deleted thread is hidden at once, can be restored, and is erased when its time is over."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agent_core import CallContext, define_agent_api, errors, every
from agent_core.domain.messages import Thread
from agent_core.testing import FakeClock, eventually
from tests.support.agents import QUICK, Follower, agent_on, finished, rows, texts, worker_of

GONE = errors.ThreadNotFoundError


async def test_deleted_thread_is_gone_to_everybody_at_once(path: Path) -> None:
    async with agent_on(path, [["Hello."]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: bool(view.messages))
            await api.delete_thread(thread.id, undo_for=60)
            await follower.until(lambda view: view.deleted)
        assert await api.get_thread(thread.id) is None
        assert await api.list_threads() == await api.list_threads(archived=True) == []
        assert await api.search("hello") == []
        for attempt in (
            api.send_message(thread.id, "Are you there?"),
            api.list_messages(thread.id),
            api.update_thread(thread.id, title="Mine"),
            api.resume_thread(thread.id),
            api.schedules.create(thread.id, "Again", every(minutes=5)),
            api.wait_until_idle(thread.id, 5),
            api.delete_thread(thread.id, undo_for=60),
        ):
            with pytest.raises(GONE):
                await attempt


async def test_restored_thread_is_as_it_was(path: Path) -> None:
    async with agent_on(path, [["Hello."], ["Again."]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        await api.update_thread(thread.id, title="Mine", pinned=True)
        before = await api.list_threads()
        await api.delete_thread(thread.id, undo_for=60)
        await api.restore_thread(thread.id)
        await api.restore_thread(thread.id)  # Undo in another tab
        assert await api.list_threads() == before
        await api.send_message(thread.id, "And now?")
        await finished(api, thread.id)
        assert await texts(api, thread.id) == ["Hi", "Hello.", "And now?", "Again."]


async def test_a_running_thread_is_stopped_and_can_go_on_once_it_is_back(path: Path) -> None:
    async with agent_on(path, [["Half", 60.0], ["Whole."]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: "Half" in str(view.messages))
        await api.delete_thread(thread.id, undo_for=60)
        await eventually(lambda: not worker_of(api).pools.steps.running())
        assert (await api.restore_thread(thread.id)).status == "stopped"
        await api.resume_thread(thread.id)
        await finished(api, thread.id)
        assert await texts(api, thread.id) == ["Hi", "Whole."]


async def test_deleted_thread_is_erased_when_its_time_is_over_and_not_before(path: Path) -> None:
    clock = FakeClock()
    async with agent_on(path, [["a"], ["b"]], settings=QUICK, runtime={"clock": clock}) as api:
        kept = await finished(api, await api.create_thread("Kept"))
        thread = await finished(api, await api.create_thread("Hi"))
        await api.schedules.create(thread.id, "Again", every(hours=5))
        for each in (thread.id, kept.id):
            await api.delete_thread(each, undo_for=8)
        clock.advance(7)
        await api.restore_thread(kept.id)
        assert thread.id in all_ids(path)
        clock.advance(2)
        await eventually(lambda: all_ids(path) == {kept.id})
        with pytest.raises(GONE):
            await api.restore_thread(thread.id)
        assert [found.id for found in await api.list_threads()] == [kept.id]
        assert await api.schedules.list() == []


async def test_deleted_thread_is_erased_although_the_process_that_was_told_is_gone(path: Path) -> None:
    clock = FakeClock()
    async with agent_on(path, [["a"]], runtime={"clock": clock}) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        await api.delete_thread(thread.id, undo_for=8)
    assert all_ids(path) == {thread.id}
    clock.advance(9)
    async with agent_on(path, [], settings=QUICK, runtime={"clock": clock}):
        await eventually(lambda: not any(rows(path).values()))


async def test_deletion_and_restoring_are_denied_to_others(path: Path) -> None:
    async with agent_on(path, []) as inner:

        def own(ctx: CallContext | None, thread_id: str) -> None:
            thread = inner.store.reads.thread(thread_id)
            if thread is None or ctx is None or thread.user_id != ctx.user_id:
                raise errors.AccessDeniedError("Not yours.")

        api = define_agent_api(inner.store, inner.agent, authorization_callback=own)
        ann, bob = CallContext("ann"), CallContext("bob")
        thread: Thread = await api.create_thread(title="Ann's", ctx=ann)
        with pytest.raises(errors.AccessDeniedError):
            await api.delete_thread(thread.id, undo_for=60, ctx=bob)
        await api.delete_thread(thread.id, undo_for=60, ctx=ann)
        with pytest.raises(errors.AccessDeniedError):
            await api.restore_thread(thread.id, ctx=bob)
        assert (await api.restore_thread(thread.id, ctx=ann)).title == "Ann's"


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan, 1e9])
async def test_an_invalid_undo_time_is_refused_and_deletes_nothing(path: Path, seconds: float) -> None:
    async with agent_on(path, []) as api:
        thread = await api.create_thread()
        with pytest.raises(errors.ValidationError, match="undo_for"):
            await api.delete_thread(thread.id, undo_for=seconds)
        assert await api.get_thread(thread.id) is not None


def all_ids(path: Path) -> set[str]:
    return {str(row[0]) for row in rows(path)["agent_thread"]}
