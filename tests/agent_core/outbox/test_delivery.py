"""Delivery of events: at least once, in order per thread, through failures, crashes and other workers."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session

from agent_core import (
    Agent,
    ModelTitle,
    Outbox,
    OutboxEvent,
    RetryPolicy,
    Runtime,
    create_workpool_bridge,
    define_internal_agent_api,
    errors,
)
from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.model_adapter import Usage
from agent_core.domain.wake_ups.wake_up_key import outbox_key
from agent_core.store.database.sql import OUTBOX, OUTBOX_EVENT, WAKE_UP
from agent_core.store.database.transaction import Tx
from agent_core.store.outbox import events
from agent_core.support import faults
from agent_core.support.faults import OUTBOX_POINTS
from agent_core.testing import FakeClock, ScriptedModel, eventually
from agent_core.worker.procrastinate import ProcrastinateEngine
from tests.support.agents import EAGER, QUICK, agent_on, finished, lose_leases, rows, runtime_of
from tests.support.databases import prepared, url
from tests.support.outbox import STATUS, Receiver, answer, emptied, on, ping
from tests.support.processes.children import FORKED


def shown(event: OutboxEvent) -> tuple[Any, ...]:
    data = event.data
    return event.type, data.get("status") or (data.get("message_id") and "message") or data.get("cost")


async def test_a_turn_is_delivered_in_order_with_its_message_and_its_usage(path: Path) -> None:
    receiver = Receiver()
    namer = ModelTitle(ScriptedModel([["A ping", Usage(7, 3, 10, cost=0.125)]]))
    async with on(path, receiver, title=namer) as api:
        thread = await api.create_thread("Use it")
        await finished(api, thread)
        await eventually(lambda: any(event.data.get("purpose") == "title" for event in receiver.seen))
        await emptied(path)
        events = receiver.of(thread.id)
        assert [shown(event) for event in events] == [
            (STATUS, "streaming"),
            ("usage.recorded", 0.25),
            (STATUS, "awaiting_tool_results"),
            (STATUS, "streaming"),
            ("usage.recorded", 0.5),
            ("turn.completed", "message"),
            (STATUS, "completed"),
            ("usage.recorded", 0.125),
        ]
        assert len({event.id for event in events}) == len(events)
        assert {(event.agent, event.user_id, event.attempt) for event in events} == {("assistant", None, 1)}
        turn = events[-3].data
        assert turn["usage"]["cost"] in (0.75, 0.875), "it has the title, if that came first"
        assert turn["message"]["parts"][-1] == {"type": "text", "text": "Grüße 🙂", "state": "done"}
        assert events[1].data["purpose"] == "step"
        assert (events[1].data["model"], events[1].data["input_tokens"]) == ("scripted", 1)
        await api.delete_thread(thread.id)
        await emptied(path)
        assert shown(receiver.seen[-1]) == ("thread.deleted", None)


async def test_a_failing_event_delays_its_thread_only_and_keeps_the_order(path: Path) -> None:
    slow, go, clock = "", asyncio.Event(), FakeClock()

    def fails(event: OutboxEvent) -> BaseException | None:
        is_second = event.thread_id == slow and event.data.get("status") == "completed"
        return None if go.is_set() or not is_second else RuntimeError("down, with password=hunter2secret")

    receiver = Receiver(fails)
    policy = RetryPolicy(max_attempts=9, initial_delay=60.0, jitter=0)
    only = {"events": [STATUS]}
    async with on(path, receiver, policy=policy, outbox=only, runtime={"clock": clock}) as api:
        slow = (await api.create_thread(thread_id="slow")).id
        await api.send_message(slow, "Hi")
        await finished(api, slow)
        await eventually(lambda: [event.attempt for event in receiver.tried if event not in receiver.seen])
        await api.send_message(slow, "And?")  # its events wait behind the one that failed
        other = await api.create_thread("Hi")
        await finished(api, other)
        await eventually(lambda: len(receiver.of(other.id)) == 2)
        assert len(receiver.of(slow)) == 1

        async def waits() -> bool:
            status = await api.outbox.status()
            return (status.pending, status.dead) == (3, 0)

        await eventually(waits)
        (row,) = [row for row in rows(path, OUTBOX_EVENT)["agent_outbox_event"] if "[hidden]" in str(row)]
        assert "hunter2" not in str(row)
        go.set()
        assert len(receiver.of(slow)) == 1, "the clock has not moved"
        clock.advance(61)
        await emptied(path)
        statuses = [event.data["status"] for event in receiver.of(slow)]
        assert statuses == ["streaming", "completed"] * 2
        assert receiver.of(slow)[1].attempt == 2


@pytest.mark.sqlite  # the points are between transactions, or roll one back
@pytest.mark.parametrize("point", OUTBOX_POINTS)
async def test_a_delivery_that_breaks_off_is_repeated_with_the_same_id(point: str, path: Path) -> None:
    left = [1]

    def break_off() -> None:
        if left:
            left.pop()
            raise RuntimeError("broken off")

    receiver = Receiver()
    faults.install(point, break_off)
    try:
        async with on(path, receiver, outbox={"events": [STATUS]}) as api:
            thread = await api.create_thread("Hi")
            await finished(api, thread)
            await emptied(path)
    finally:
        faults.clear()
    ids = [event.id for event in receiver.seen]
    assert [event.data["status"] for event in receiver.seen][-2:] == ["streaming", "completed"]
    again = {
        "outbox.received": (3,),
        "outbox.delivered.inside": (2, 3),
    }  # the writer may repeat a transaction
    assert len(ids) in again.get(point, (2,))
    assert len(set(ids)) == 2


def _deliver_and_hang(database_url: str, reached: Any) -> None:
    """Run a turn in a child, and tell the parent once an event is being delivered."""

    async def hang(event: OutboxEvent) -> None:
        reached.put(event.id)
        await asyncio.Event().wait()

    async def run() -> None:
        outbox = Outbox(hang, events=[STATUS])
        async with Runtime(database_url, outbox=outbox, settings=QUICK) as runtime:
            api = define_internal_agent_api(runtime, Agent("assistant", ScriptedModel(answer)))
            await finished(api, await api.create_thread("Hi"))
            await asyncio.Event().wait()

    asyncio.run(run())


async def test_an_event_whose_process_is_killed_is_delivered_by_the_next(path: Path) -> None:
    reached = FORKED.Queue()
    child = FORKED.Process(target=_deliver_and_hang, args=(prepared(path), reached))
    child.start()
    killed = await asyncio.to_thread(reached.get, True, 60)

    async def written() -> bool:
        return len(rows(path, OUTBOX_EVENT)["agent_outbox_event"]) == 2

    await eventually(written)
    child.kill()
    await asyncio.to_thread(child.join)
    assert child.exitcode == -signal.SIGKILL
    receiver = Receiver()
    async with on(path, receiver, outbox={"events": [STATUS]}):
        await emptied(path)
    assert (receiver.seen[0].id, receiver.seen[0].attempt) == (killed, 2)
    assert [event.data["status"] for event in receiver.seen] == ["streaming", "completed"]


async def test_a_worker_that_lost_its_lease_neither_goes_on_nor_undoes_the_other_ones_work(
    path: Path,
) -> None:
    held, go, taken, end = (asyncio.Event() for _ in range(4))
    tried: list[int] = []

    async def slow(event: OutboxEvent) -> None:
        tried.append(event.attempt)
        held.set()
        await go.wait()
        raise errors.DeliveryError("Too late to make it a dead letter.", retryable=False)

    async def second(event: OutboxEvent) -> None:
        seen.append((event.data["status"], event.attempt))
        taken.set()
        await end.wait()

    seen: list[tuple[str, int]] = []
    async with on(path, slow, outbox={"events": [STATUS]}, settings=QUICK) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        await held.wait()
        await lose_leases(api)
        async with on(path, second, outbox={"events": [STATUS]}, settings=QUICK):
            await taken.wait()
            go.set()
            pool = runtime_of(api).worker.pools.outbox  # pyright: ignore[reportOptionalMemberAccess]
            await eventually(lambda: not pool.holds(outbox_key(thread.id)))
            assert (tried, (await api.outbox.status()).dead) == ([1], 0)
            end.set()
            await emptied(path)
    assert seen == [("streaming", 2), ("completed", 1)]


@pytest.mark.postgresql  # SQLite has one writer
async def test_an_event_that_is_written_while_the_last_delivery_ends_keeps_a_wake_up(path: Path) -> None:
    held, go, seen = asyncio.Event(), asyncio.Event(), list[OutboxEvent]()
    loop = asyncio.get_running_loop()

    async def receive(event: OutboxEvent) -> None:
        held.set()
        await go.wait()
        seen.append(event)

    def ended_or_blocked(session: Session) -> bool:
        wake_ups = "select count(*) from agent_wake_up where kind = 'outbox'"
        blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
        ended = not session.connection().execute(text(wake_ups)).scalar()
        return ended or bool(session.connection().execute(text(blocked)).scalar())

    async with on(path, receive, outbox={"events": ["turn.completed"]}) as api:
        thread = await api.create_thread("Hi")
        await held.wait()
        async with agent_on(path, [], runtime={"work": False}) as other:

            def write(tx: Tx) -> None:
                events.write(tx, EventType.TURN_COMPLETED, thread.id, {"message_id": "none"})
                tx.cursor.execute("select 1").fetchall()  # sends the statements before it
                loop.call_soon_threadsafe(go.set)
                while not other.store.reads.read(ended_or_blocked):
                    pass

            await other.store.writer.run(write)
        await eventually(lambda: len(seen) == 2)


async def test_the_stop_and_the_end_of_a_thread_leave_a_delivery_alone(path: Path) -> None:
    held, go, seen = asyncio.Event(), asyncio.Event(), list[str]()

    async def slow(event: OutboxEvent) -> None:
        seen.append(event.data.get("status", event.type))
        held.set()
        await go.wait()

    both = {"events": [STATUS, "thread.deleted"]}
    async with on(path, slow, lambda _: ["Begin. ", 600.0], outbox=both) as api:
        thread = await api.create_thread("Hi")
        await held.wait()
        await api.stop_thread(thread.id)
        await api.delete_thread(thread.id)
        go.set()
        await emptied(path)
    assert seen == ["streaming", "stopped", "thread.deleted"]


async def test_a_process_that_does_not_deliver_writes_events_and_leaves_them(path: Path) -> None:
    """The outbox is on for all processes of the database, those that were open before and those that open later."""
    receiver = Receiver()
    async with agent_on(path, answer, tools=[ping], settings=EAGER) as other:
        await finished(other, await other.create_thread("Hi"))
        assert not rows(path, OUTBOX_EVENT)["agent_outbox_event"]
        async with on(path, receiver, outbox={"events": ["turn.completed"]}, runtime={"work": False}):
            await eventually(lambda: other.store.outbox.types == {"turn.completed"})
            thread = await other.create_thread("Hi")
            await finished(other, thread)
            await other.delete_thread(thread.id)
            (wake_up,) = rows(path, WAKE_UP)["agent_wake_up"]
            assert str(outbox_key(thread.id)) in wake_up
        assert len(rows(path, OUTBOX_EVENT)["agent_outbox_event"]) == 1
    assert not receiver.seen
    async with on(path, receiver, outbox={"events": ["turn.completed"]}) as api:
        await emptied(path)
        (event,) = receiver.seen
        assert (event.thread_id, event.data["message"]) == (thread.id, None)
        assert event.data["message_omitted"] == "deleted"
        await api.outbox.switch_off()
        assert not rows(path, OUTBOX)["agent_outbox"]
        await finished(api, await api.create_thread("Hi"))
        assert (await api.outbox.status()).to_dict() == {
            **{"events": [], "pending": 0, "oldest_at": None, "dead": 0}
        }


async def test_a_long_message_is_left_out_and_a_lost_wake_up_written_again(path: Path) -> None:
    receiver = Receiver()
    more: Any = {"outbox": {"events": ["turn.completed"]}}
    async with on(path, receiver, lambda _: ["🙂" * 300_000], **more, runtime={"work": False}) as api:
        thread = await api.create_thread("Hi")
    async with agent_on(path, lambda _: ["🙂" * 300_000], settings=EAGER) as api:
        await finished(api, thread)
        drop = f"delete from agent_wake_up where id = '{outbox_key(thread.id)}'"  # as an older version does
        await api.store.writer.run(lambda tx: tx.cursor.execute(drop))
    async with on(path, receiver, **more):
        await emptied(path)
    (event,) = receiver.seen
    assert (event.data["message"], event.data["message_omitted"]) == (None, "too_long")


async def test_two_workers_deliver_the_events_of_each_thread_in_order(path: Path) -> None:
    await _share(path, dict)


@pytest.mark.postgresql  # Procrastinate requires it
async def test_two_workers_with_procrastinate_deliver_the_events_of_each_thread_in_order(path: Path) -> None:
    await _share(path, lambda: {"workpool": create_workpool_bridge(ProcrastinateEngine(url(path)))})


async def _share(path: Path, runtime: Callable[[], dict[str, Any]]) -> None:
    """Let two workers write and deliver at once; only a restart would repair an event without a wake-up."""
    seen = list[OutboxEvent]()

    async def receive(event: OutboxEvent) -> None:
        await asyncio.sleep(0)
        seen.append(event)

    workers = [on(path, receive, outbox={"events": [STATUS]}, runtime=runtime()) for _ in range(2)]
    async with workers[0] as one, workers[1] as other:
        threads = [(await one.create_thread()).id for _ in range(6)]
        for turn in range(3):
            for thread_id in threads:
                await (one, other)[turn % 2].send_message(thread_id, f"Turn {turn}", when_busy="queue")
        for thread_id in threads:
            await finished(other, thread_id)
        await emptied(path)
    for thread_id in threads:
        events = [event for event in seen if event.thread_id == thread_id]
        assert [event.data["status"] for event in events] == ["streaming", "completed"] * 3
        assert [event.id for event in events] == sorted({event.id for event in events}), "ids sort by time"
