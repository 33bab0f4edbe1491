"""Store wake-ups: written in the transaction of the state they belong to, leased by the worker that runs them.

A row is an APScheduler job row. A worker leases it by writing its name and moving its time into the future, and
extends the lease with each heartbeat. When the worker dies, the row comes due by itself. Only the transaction
that finishes the work deletes the row.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sqlalchemy import and_, delete, exists, or_, select, update

from agent_core.domain.states import OPEN_CALLS, CallStatus, ThreadStatus
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind, schedule_key, step_key, tool_key
from agent_core.store.database.sql import (
    CALL,
    SCHEDULE,
    THREAD,
    WAKE_UP,
    WORK_FEED,
    P,
    Statement,
    dump,
    one_of,
    upsert,
)
from agent_core.store.database.transaction import Turn, Tx
from agent_core.store.threads import deltas, suspects
from agent_core.store.tool_calls import calls
from agent_core.store.wake_ups import workers
from agent_core.store.wake_ups.take import Leased, leased, take

_JOB_STATE = dump({"version": 1, "target": "work"})

_w = WAKE_UP.c
_person = select(THREAD.c.user_id).where(THREAD.c.id == P("thread_id")).scalar_subquery()
_columns = ("id", "kind", "call_id", "next_run_time", "thread_id", "worker", "job_state", "scheduled")
_values = {name: P(name) for name in _columns} | {"user_id": _person}
_PUT = upsert(WAKE_UP, _values, ["id"], {"next_run_time": P("next_run_time"), "worker": P("worker")})
# The update that changes nothing locks the row, if there is one.
_ENSURE = upsert(WAKE_UP, _values, ["id"], {"thread_id": P("thread_id")})
_DELETE = Statement(delete(WAKE_UP).where(_w.id == P("key")))
_DELETE_MINE = Statement(delete(WAKE_UP).where(_w.id == P("key"), _w.worker == P("by")))
# A schedule's id may equal a thread's, and events outlive stops; rows without a kind are written by versions before
# 0013.
_of_thread = or_(
    _w.kind.is_(None), and_(*(_w.kind != kind.value for kind in (WakeUpKind.SCHEDULE, WakeUpKind.OUTBOX)))
)
_DROP = Statement(delete(WAKE_UP).where(_w.thread_id == P("thread_id"), _of_thread))


# In the order of the key: heartbeats that lock rows in different orders deadlock on PostgreSQL.
_held = select(_w.id).where(_w.worker == P("by")).order_by(_w.id).with_for_update(skip_locked=True)
_EXTEND = Statement(update(WAKE_UP).where(_w.id.in_(_held)).values(next_run_time=P("until")))
_RELEASE = Statement(update(WAKE_UP).where(_w.worker == P("by")).values(next_run_time=P("now"), worker=None))
_EARLY = 1.0  # seconds by which an engine may deliver too early, because it has another clock
_delivered = _w.id == P("key"), _w.worker.is_(None), _w.next_run_time <= P("soon")
_LEASE = Statement(
    update(WAKE_UP)
    .where(*_delivered, _w.company.is_(None))
    .values(next_run_time=P("until"), worker=P("by"))
    .returning(_w.id, _w.user_id)
)
_PASS_ON = Statement(
    update(WAKE_UP).where(*_delivered, _w.next_run_time > P("since")).values(next_run_time=P("since"))
)
_ADMIT = Statement(
    update(WAKE_UP)
    .where(_w.id == P("key"), _w.worker.is_(None), _w.next_run_time <= P("now"))
    .values(next_run_time=P("until"), worker=P("by"))
    .returning(_w.id, _w.user_id)
)
_EXPIRED = Statement(select(_w.id).where(_w.worker == P("by"), _w.next_run_time <= P("now")).limit(1))
_PUT_BACK = Statement(
    update(WAKE_UP).where(_w.id == P("key"), _w.worker == P("by")).values(next_run_time=P("now"), worker=None)
)
_MINE = Statement(select(_w.id).where(_w.worker == P("by")))

# Written by a version before 0013; a locked one is left to the next round.
_UNNAMED = Statement(select(_w.id).where(_w.kind.is_(None)).order_by(_w.id).with_for_update(skip_locked=True))
_NAME = Statement(update(WAKE_UP).where(_w.id == P("key")).values(kind=P("new_kind"), call_id=P("new_call")))


def _lacks(kind: WakeUpKind, owner: Any, *call: Any) -> Any:
    """Build the condition that work has no wake-up; one without a kind counts for all work of its owner."""
    named = and_(one_of(_w.kind, [kind]), *(_w.call_id == id for id in call))
    return and_(
        *(~exists(select(_w.id).where(_w.thread_id == owner, row)) for row in (named, _w.kind.is_(None)))
    )


_STEPS_MISSING = Statement(
    select(THREAD.c.id).where(
        one_of(THREAD.c.status, [ThreadStatus.STREAMING]), _lacks(WakeUpKind.STEP, THREAD.c.id)
    )
)
_TOOLS_MISSING = Statement(
    select(CALL.c.thread_id, CALL.c.id).where(
        one_of(CALL.c.status, OPEN_CALLS),  # the condition of the index
        one_of(CALL.c.status, [CallStatus.PENDING, CallStatus.RUNNING]),
        _lacks(WakeUpKind.TOOL, CALL.c.thread_id, CALL.c.id),
    )
)
_open_call = exists(
    select(CALL.c.id).where(CALL.c.thread_id == THREAD.c.id, one_of(CALL.c.status, OPEN_CALLS))
)
_ADVANCE_MISSING = Statement(
    select(THREAD.c.id).where(one_of(THREAD.c.status, [ThreadStatus.AWAITING]), ~_open_call)
)
_SCHEDULES_MISSING = Statement(
    select(SCHEDULE.c.id).where(
        SCHEDULE.c.next_at <= P("now"), ~SCHEDULE.c.paused, _lacks(WakeUpKind.SCHEDULE, SCHEDULE.c.id)
    )
)


Defer = Callable[[Tx, str, float | None], None]
"""Defers the delivery of a key to a moment, in the transaction; see `agent_core.worker.bridge.Engine`."""

DeferFor = Callable[[WakeUpKey], Defer | None]
"""Returns the `Defer` of the engine that delivers a key; None if the scheduler does."""


def deferred_by_none(key: WakeUpKey) -> None:
    """Leave every wake-up to the scheduler."""


class LocalWorker(Protocol):
    """Protocol of the worker of this process; its methods are called on the event loop, except `keeps`."""

    def keeps(self, key: WakeUpKey, fresh: bool) -> bool:
        """Whether this worker takes new work, or leaves it to others; called in the writer's thread.

        Args:
            fresh: whether it begins a turn.
        """
        ...

    def dispatch(self, key: WakeUpKey, user_id: str | None = None) -> None:
        """Run work that was committed with a lease of this process.

        Args:
            user_id: the person whose turn begins with it, if one does.
        """
        ...

    def cancel(self, thread_id: str) -> None:
        """Cancel the local work of a thread whose wake-ups were deleted."""
        ...

    def notify(self) -> None:
        """Look for due work, because a wake-up was left for the scheduler."""
        ...

    def on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Look for work and for stops: another process has committed to these feeds (None: to any)."""
        ...

    async def flush(self, thread_id: str) -> None:
        """Flush the pending chunks of a thread's model step, if it runs here."""
        ...


class Released(NamedTuple):
    """The number of wake-ups that were released, and of those whose code ran."""

    wake_ups: int
    ran: int


class LeasedWakeUps:
    """The wake-ups of a database, written by one process.

    Args:
        process: the name of this process, in whose name its worker holds leases.
        lease: seconds for which a lease lasts without a heartbeat.
        defer_for: returns what defers a key to a distributed engine; see `agent_core.worker.bridge`.

    Attributes:
        worker: the worker of this process; None if it has none.
        delay: seconds for which schedulers leave due work to an engine, which does not know of work that is released.
    """

    def __init__(self, process: str, lease: float, defer_for: DeferFor = deferred_by_none) -> None:
        self.process = process
        self.worker: LocalWorker | None = None
        self.delay = 0.0
        self._lease = lease
        self._defer_for = defer_for

    def enqueue(
        self, tx: Tx, key: WakeUpKey | str, run_at: float | None = None, *, turn: Turn | None = None
    ) -> None:
        """Write the wake-up `key`; without `run_at` it is leased to this process and dispatched after the commit.

        It is left to any worker if this one does not keep it, and to the engine if that delivers the key and the
        wake-up begins a `turn` or is due later.
        """
        key = WakeUpKey.parse(key) if isinstance(key, str) else key
        text = str(key)
        defer, worker = self._defer_for(key), self.worker
        mine = False
        if worker is not None and run_at is None and not (turn and defer):
            mine = worker.keeps(key, fresh=turn is not None)
        tx.do(
            _PUT,
            id=text,
            kind=key.kind.value,
            call_id=key.call_id or None,
            next_run_time=tx.now + self._lease if mine else (run_at or tx.now),
            thread_id=key.thread_id,
            worker=self.process if mine else None,
            job_state=_JOB_STATE,
            scheduled=turn.is_scheduled if turn else None,
        )
        if worker is not None and mine:
            tx.after(worker.dispatch, key, turn.user_id if turn else None)
        elif defer:
            defer(tx, text, run_at)
        else:
            if worker is not None:
                tx.after(worker.notify)
            if (run_at or tx.now) <= tx.now:
                tx.touched.add(WORK_FEED)

    def ensure(self, tx: Tx, key: WakeUpKey) -> None:
        """Write the wake-up `key`, due at once, unless there is one; lock it until the end of the transaction.

        It is leased to this process, if the worker keeps it.
        """
        worker = self.worker
        mine = worker is not None and worker.keeps(key, fresh=False)
        tx.do(
            _ENSURE,
            id=str(key),
            kind=key.kind.value,
            call_id=key.call_id or None,
            next_run_time=tx.now + self._lease if mine else tx.now,
            thread_id=key.thread_id,
            worker=self.process if mine else None,
            job_state=_JOB_STATE,
            scheduled=None,
        )
        if worker is not None and mine:
            tx.after(worker.dispatch, key)
        else:
            tx.touched.add(WORK_FEED)
            if worker is not None:
                tx.after(worker.notify)

    def done(self, tx: Tx, key: WakeUpKey | str, *, mine: bool = True) -> None:
        """Delete the wake-up `key`; with `mine` only if this worker holds its lease."""
        if mine:
            tx.do(_DELETE_MINE, key=str(key), by=self.process)
        else:
            tx.do(_DELETE, key=str(key))

    def drop(self, tx: Tx, thread_id: str) -> None:
        """Delete every wake-up of a thread's work and cancel that in this process; its events stay."""
        tx.do(_DROP, thread_id=thread_id)
        if self.worker is not None:
            tx.after(self.worker.cancel, thread_id)

    def take(
        self, tx: Tx, room: Mapping[str, int], delay: float = 0.0, most_of_person: int | None = None
    ) -> list[Leased]:
        """Lease wake-ups that have been due for `delay` seconds, without suspects.

        Args:
            room: most wake-ups of each kind: "step" and "tool", or "work" for both; "other".
            most_of_person: see `take.take`.
        """
        lease = functools.partial(
            *(take, tx),
            until=tx.now + self._lease,
            by=self.process,
            delay=delay,
            most_of_person=most_of_person,
        )
        return [found for kind, most in room.items() for found in lease(kind, most)]

    def lease(self, tx: Tx, text: str) -> Leased | None:
        """Lease a wake-up that an engine delivers as text; return None if it is held, a suspect's or not due."""
        row = tx.one(_LEASE, key=text, soon=tx.now + _EARLY, until=tx.now + self._lease, by=self.process)
        return None if row is None else leased(row)

    def pass_on(self, tx: Tx, text: str, delay: float) -> None:
        """Offer a wake-up that an engine has delivered here to the workers' schedulers, at once.

        Args:
            delay: seconds for which they leave due work to the engine.
        """
        tx.run(_PASS_ON, key=text, soon=tx.now + _EARLY, since=tx.now - delay)
        tx.touched.add(WORK_FEED)

    def admit(self, tx: Tx, keys: Sequence[WakeUpKey]) -> list[Leased]:
        """Lease suspects; return those that no other worker has leased first."""
        lease = {"now": tx.now, "until": tx.now + self._lease, "by": self.process}
        rows = [tx.one(_ADMIT, key=str(key), **lease) for key in keys]
        return [leased(row) for row in rows if row is not None]

    def extend(self, tx: Tx) -> int:
        """Extend this worker's leases; return how many it holds."""
        return tx.run(_EXTEND, by=self.process, until=tx.now + self._lease)

    def release(self, tx: Tx, worker: str) -> int:
        """Release the leases of a worker, so that their work is due at once; return how many.

        The worker no longer counts as living, until it announces itself again.
        """
        workers.forget(tx, worker)
        tx.touched.add(WORK_FEED)
        return tx.run(_RELEASE, by=worker, now=tx.now - self.delay)

    def put_back(self, tx: Tx, keys: Sequence[WakeUpKey]) -> int:
        """Release this worker's leases of work that has not begun; return how many."""
        tx.touched.add(WORK_FEED)
        values = {"by": self.process, "now": tx.now - self.delay}
        return sum(tx.run(_PUT_BACK, key=key, **values) for key in sorted(map(str, keys)))

    def bury(self, tx: Tx, worker: str, executed: Callable[[str], bool] | None = None) -> Released:
        """Release the leases of a dead worker; the work that ran becomes suspect.

        See `agent_core.domain.wake_ups.suspects`.

        Args:
            executed: whether the code of a key ran when it died; None: that is unknown.
        """
        if executed is not None:
            suspects.testify(tx, worker, executed)
        ran = suspects.judge(tx, worker, executed)
        return Released(self.release(tx, worker), ran)

    def bury_absent(self, tx: Tx, worker: str, executed: Callable[[str], bool] | None = None) -> Released:
        """Release the leases of a worker without a session of the server, which has died; see `bury`."""
        if not workers.is_absent(tx, worker):
            return Released(0, 0)
        return self.bury(tx, worker, executed)

    def expire(self, tx: Tx, worker: str, *, alive: bool) -> Released:
        """Release the leases of a worker if they have expired.

        Its work is not suspect if it was about to close: it has deleted its row among the workers then.

        Args:
            alive: whether its process, as far as anyone knows, lives; its work is not suspect then, either.
        """
        if tx.one(_EXPIRED, by=worker, now=tx.now) is None:
            return Released(0, 0)
        if alive or workers.has_left(tx, worker):
            return Released(self.release(tx, worker), 0)
        return self.bury(tx, worker)

    def mine(self, tx: Tx) -> list[WakeUpKey]:
        """Return the keys that this worker holds."""
        return [WakeUpKey.parse(text) for (text,) in tx.all(_MINE, by=self.process)]

    def missing(self, tx: Tx) -> int:
        """Write a wake-up for all running work that lacks one; return how many were missing.

        A safety net: no known path loses a wake-up.
        """
        for (text,) in tx.all(_UNNAMED):
            key = WakeUpKey.parse(text)
            tx.do(_NAME, key=text, new_kind=key.kind.value, new_call=key.call_id or None)
        missing = [
            *(step_key(*row) for row in tx.all(_STEPS_MISSING)),
            *(tool_key(*row) for row in tx.all(_TOOLS_MISSING)),
            *(schedule_key(*row) for row in tx.all(_SCHEDULES_MISSING, now=tx.now)),
        ]
        for key in missing:
            self.enqueue(tx, key, tx.now)
        stuck = tx.all(_ADVANCE_MISSING)
        for (thread_id,) in stuck:
            status = calls.advance(tx, thread_id)
            deltas.append(tx, thread_id, deltas.tick(tx, thread_id), [deltas.thread_chunk(status=status)])
        return len(missing) + len(stuck)
