"""Wake-ups as rows: written with the state they belong to, leased while somebody works on them.

A row is an APScheduler job row. Whoever takes it pushes its time forward by the lease and puts its
name on it; while it lives it keeps pushing. When it dies the row comes due by itself. Only the
transaction that finishes the work deletes the row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import and_, delete, exists, func, insert, literal_column, not_, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from agent_core.states import OPEN_CALLS
from agent_core.store import calls, deltas, suspects
from agent_core.store.rows import CALL, SCHEDULE, THREAD, WAKE_UP, WORK_FEED, P, dump
from agent_core.store.statement import Statement, one_of
from agent_core.store.tx import Tx

JOB_STATE = dump({"version": 1, "target": "work"})

_w = WAKE_UP.c
_values = {n: P(n) for n in ("id", "next_run_time", "thread_id", "worker", "job_state")}
_changes = {"next_run_time": P("next_run_time"), "worker": P("worker")}
_PUT = Statement(
    insert(WAKE_UP).values(_values),
    sqlite=sqlite.insert(WAKE_UP).values(_values).on_conflict_do_update(index_elements=["id"], set_=_changes),
    postgresql=postgresql.insert(WAKE_UP)
    .values(_values)
    .on_conflict_do_update(index_elements=["id"], set_=_changes),
)
_DELETE = Statement(delete(WAKE_UP).where(_w.id == P("key")))
_DELETE_MINE = Statement(delete(WAKE_UP).where(_w.id == P("key"), _w.worker == P("by")))
_DROP = Statement(delete(WAKE_UP).where(_w.thread_id == P("thread_id")))


def _take(*kinds: str, others: bool = False) -> Statement:
    """Lease what is due of some kinds of keys, in turn from each thread, the longest due first."""
    kind = or_(*(func.substr(_w.id, 1, 5) == literal_column(f"'{kind}:'") for kind in kinds))
    ours = not_(kind) if others else kind
    # Suspects are admitted one by one, and what a worker still holds is freed by `bury` or `release` first.
    due = and_(_w.next_run_time <= P("now"), _w.worker.is_(None), _w.company.is_(None))
    turn = func.row_number().over(partition_by=_w.thread_id, order_by=_w.next_run_time)
    found = select(_w.id, _w.next_run_time.label("since"), turn.label("turn")).where(due, ours).subquery()
    chosen = select(found.c.id).order_by(found.c.turn, found.c.since).limit(P("most"))
    # Said again, for PostgreSQL looks at a row once more when it has its lock.
    free = select(_w.id).where(due, _w.id.in_(chosen)).with_for_update(skip_locked=True)
    values = {"next_run_time": P("until"), "worker": P("by")}
    return Statement(update(WAKE_UP).where(_w.id.in_(free)).values(values).returning(_w.id))


_TAKE = {
    "step": _take("step"),
    "tool": _take("tool"),
    "work": _take("step", "tool"),
    "other": _take("step", "tool", others=True),
}
# In the order of the key: heartbeats that lock rows in different orders deadlock on PostgreSQL.
_held = select(_w.id).where(_w.worker == P("by")).order_by(_w.id).with_for_update(skip_locked=True)
_EXTEND = Statement(update(WAKE_UP).where(_w.id.in_(_held)).values(next_run_time=P("until")))
_RELEASE = Statement(update(WAKE_UP).where(_w.worker == P("by")).values(next_run_time=P("now"), worker=None))
_LEASE = Statement(
    update(WAKE_UP)
    .where(_w.id == P("key"), _w.worker.is_(None), _w.company.is_(None))
    .values(next_run_time=P("until"), worker=P("by"))
    .returning(_w.thread_id)
)
_ADMIT = Statement(
    update(WAKE_UP)
    .where(_w.id == P("key"), _w.worker.is_(None), _w.next_run_time <= P("now"))
    .values(next_run_time=P("until"), worker=P("by"))
    .returning(_w.id)
)
_EXPIRED = Statement(select(_w.id).where(_w.worker == P("by"), _w.next_run_time <= P("now")).limit(1))
_MINE = Statement(select(_w.id, _w.thread_id).where(_w.worker == P("by")))

_step_row = exists(select(_w.id).where(_w.id == "step:" + THREAD.c.id))
_STEPS_MISSING = Statement(select(THREAD.c.id).where(one_of(THREAD.c.status, ["streaming"]), ~_step_row))
_tool_row = exists(select(_w.id).where(_w.id == "tool:" + CALL.c.thread_id + ":" + CALL.c.id))
_TOOLS_MISSING = Statement(
    select(CALL.c.thread_id, CALL.c.id).where(
        one_of(CALL.c.status, OPEN_CALLS),  # the condition of the index
        one_of(CALL.c.status, ["pending", "running"]),
        ~_tool_row,
    )
)
_open_call = exists(
    select(CALL.c.id).where(CALL.c.thread_id == THREAD.c.id, one_of(CALL.c.status, OPEN_CALLS))
)
_ADVANCE_MISSING = Statement(
    select(THREAD.c.id).where(one_of(THREAD.c.status, ["awaiting_tool_results"]), ~_open_call)
)
_schedule_row = exists(select(_w.id).where(_w.id == "schedule:" + SCHEDULE.c.id))
_SCHEDULES_MISSING = Statement(
    select(SCHEDULE.c.id).where(SCHEDULE.c.next_at <= P("now"), ~SCHEDULE.c.paused, ~_schedule_row)
)


class Engine(Protocol):
    """What delivers wake-ups from elsewhere, as far as the store knows it; see `agent_core.bridge`."""

    def defer(self, tx: Tx, key: str, run_at: float | None) -> None:
        """Write, in the transaction, that `key` is to be delivered."""
        ...


class LeasedWakeUps:
    """The wake-ups as one worker writes them.

    Args:
        worker: this worker's name, or None for a process that only serves and never works.
        lease: seconds that a wake-up stays with this worker without a heartbeat.
        dispatch: called after the commit with (key, thread id) of work that is born leased to
            this worker.
        cancel: called after the commit with the id of a thread whose work was dropped.
        notify: called after the commit when a wake-up was left for the scheduler.
        engine_for: the engine that delivers a key, where one does; see `agent_core.bridge`.
    """

    def __init__(
        self,
        worker: str | None,
        lease: float,
        *,
        dispatch: Callable[[str, str], None],
        cancel: Callable[[str], None],
        notify: Callable[[], None],
        engine_for: Callable[[str], Engine | None],
    ) -> None:
        self.worker = worker
        self._lease = lease
        self._engine_for = engine_for
        self._dispatch = dispatch
        self._cancel = cancel
        self._notify = notify

    def enqueue(
        self, tx: Tx, key: str, thread_id: str, run_at: float | None = None, *, fresh: bool = False
    ) -> None:
        """Write the wake-up `key`; without `run_at` it is born leased and dispatched after commit.

        What an engine delivers is born free instead, if it is `fresh` or due later.
        """
        engine = self._engine_for(key)
        mine = run_at is None and self.worker is not None and not (fresh and engine)
        tx.do(
            _PUT,
            id=key,
            next_run_time=tx.now + self._lease if mine else (run_at or tx.now),
            thread_id=thread_id,
            worker=self.worker if mine else None,
            job_state=JOB_STATE,
        )
        if mine:
            tx.after(self._dispatch, key, thread_id)
        elif engine:
            engine.defer(tx, key, run_at)
        else:
            tx.after(self._notify)
            if (run_at or tx.now) <= tx.now:
                tx.touched.add(WORK_FEED)

    def done(self, tx: Tx, key: str, *, mine: bool = True) -> None:
        """Delete the wake-up `key`; with `mine` only if its lease is this worker's."""
        if mine:
            tx.do(_DELETE_MINE, key=key, by=self.worker)
        else:
            tx.do(_DELETE, key=key)

    def drop(self, tx: Tx, thread_id: str) -> None:
        """Delete every wake-up of a thread and end what runs for it here."""
        tx.do(_DROP, thread_id=thread_id)
        tx.after(self._cancel, thread_id)

    def take(self, tx: Tx, room: Mapping[str, int], patience: float = 0.0) -> list[str]:
        """Lease wake-ups, due for `patience` seconds and no suspects, to this worker; return their keys.

        Args:
            tx: the transaction.
            room: how many of each kind at the most: "step" and "tool", or "work" for both; "other".
            patience: seconds.
        """
        lease = {"now": tx.now - patience, "until": tx.now + self._lease, "by": self.worker}
        return [row[0] for kind, most in room.items() for row in tx.all(_TAKE[kind], most=most, **lease)]

    def lease(self, tx: Tx, key: str) -> str | None:
        """Lease one wake-up that an engine delivers; return its thread, or None if there is none to take."""
        row = tx.one(_LEASE, key=key, until=tx.now + self._lease, by=self.worker)
        return row[0] if row else None

    def admit(self, tx: Tx, keys: Sequence[str]) -> list[str]:
        """Lease these suspects to this worker; return the keys of those that nobody was faster to lease."""
        lease = {"now": tx.now, "until": tx.now + self._lease, "by": self.worker}
        return [row[0] for key in keys if (row := tx.one(_ADMIT, key=key, **lease)) is not None]

    def extend(self, tx: Tx) -> int:
        """Push this worker's leases forward; return how many it holds."""
        return tx.run(_EXTEND, by=self.worker, until=tx.now + self._lease)

    def release(self, tx: Tx, worker: str) -> int:
        """Make everything that `worker` holds due at once; return how many that were."""
        tx.touched.add(WORK_FEED)
        return tx.run(_RELEASE, by=worker, now=tx.now)

    def bury(self, tx: Tx, worker: str, executed: Callable[[str], bool] | None = None) -> tuple[int, int]:
        """Release what a worker held that died; return how many those were and how many of them ran.

        What ran is suspect from now on; see `agent_core.suspects`.

        Args:
            tx: the transaction.
            worker: its name.
            executed: whether the code of a key ran at that moment; None: nobody can say.
        """
        ran = suspects.judge(tx, worker, executed)
        return self.release(tx, worker), ran

    def expire(self, tx: Tx, worker: str, *, alive: bool) -> tuple[int, int]:
        """Do the same with one whose leases have run out, unless it has extended them meanwhile.

        Args:
            tx: the transaction.
            worker: whose leases.
            alive: its process is known to live, and only sleeps: nothing is suspect then.
        """
        if tx.one(_EXPIRED, by=worker, now=tx.now) is None:
            return 0, 0
        return (self.release(tx, worker), 0) if alive else self.bury(tx, worker)

    def mine(self, tx: Tx) -> list[tuple[str, str]]:
        """Return (key, thread id) of what this worker holds."""
        return [(row[0], row[1]) for row in tx.all(_MINE, by=self.worker)]

    def missing(self, tx: Tx) -> int:
        """Give a wake-up to all running work that lacks one; return how many lacked it.

        No known path leads there; this is the net under all the paths that nobody thought of.
        """
        found = 0
        for (thread_id,) in tx.all(_STEPS_MISSING):
            self.enqueue(tx, "step:" + thread_id, thread_id, tx.now)
            found += 1
        for thread_id, call_id in tx.all(_TOOLS_MISSING):
            self.enqueue(tx, f"tool:{thread_id}:{call_id}", thread_id, tx.now)
            found += 1
        for (schedule_id,) in tx.all(_SCHEDULES_MISSING, now=tx.now):
            self.enqueue(tx, "schedule:" + schedule_id, schedule_id, tx.now)
            found += 1
        for (thread_id,) in tx.all(_ADVANCE_MISSING):
            status = calls.advance(tx, thread_id)
            deltas.append(tx, thread_id, deltas.tick(tx, thread_id), [deltas.thread_chunk(status=status)])
            found += 1
        return found
