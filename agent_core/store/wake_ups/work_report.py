"""Report on workers and on the queue of wake-ups, by statements whose cost depends on the open work only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Text, and_, case, func, literal_column, select
from sqlmodel import Session

from agent_core.domain.reports import QueueReport, WaitingStep, WorkerReport, WorkReport
from agent_core.domain.states import OPEN_CALLS, RUNNING, CallStatus
from agent_core.domain.wake_ups.wake_up_key import WakeUpKind
from agent_core.store.database.sql import CALL, THREAD, WAKE_UP, WORKER, P, load, one_of
from agent_core.store.wake_ups.workers import HELD, Held
from agent_core.support.clock import as_datetime

_w, _t, _c = WAKE_UP.c, THREAD.c, CALL.c
_WORKERS = select(WORKER).order_by(WORKER.c.host, WORKER.c.name)
_state = case(
    (_w.worker.is_not(None), literal_column("'running'", Text)),
    (_w.next_run_time <= P("now"), literal_column("'due'", Text)),
    else_=literal_column("'waiting'", Text),
)
_QUEUES = (
    select(_w.kind, _state.label("state"), func.count(), func.min(_w.next_run_time))
    .where(_w.kind.is_not(None))
    .group_by(_w.kind, literal_column("state"))
)
_WAITING = (
    select(_w.thread_id, _t.title, _t.user_id, _t.agent, _w.next_run_time, _t.retry_state)
    .join(THREAD, _t.id == _w.thread_id)
    .where(
        and_(_w.next_run_time > P("now"), _w.worker.is_(None), _w.kind == WakeUpKind.STEP.value),
        _t.delete_at.is_(None),
    )
    .order_by(_w.next_run_time)
    .limit(P("most"))
)
_CALLS = select(_c.status, func.count()).where(one_of(_c.status, OPEN_CALLS)).group_by(_c.status)
_THREADS = select(_t.status, func.count()).where(one_of(_t.status, RUNNING)).group_by(_t.status)


def work(session: Session, now: float, lease: float, most: int) -> WorkReport:
    """Return the workers, the queues, and the `most` steps that begin next.

    Args:
        lease: seconds after its last heartbeat for which a worker counts as living.
    """
    rows = session.connection()
    calls = _counts(rows.execute(_CALLS))
    return WorkReport(
        as_datetime(now),
        _workers(session, now - lease),
        _queues(session, now),
        [
            WaitingStep(*row[:4], as_datetime(row.next_run_time), load(row.retry_state))
            for row in rows.execute(_WAITING, {"now": now, "most": most})
        ],
        calls.get(CallStatus.APPROVAL, 0),
        calls.get(CallStatus.WAITING, 0),
        _counts(rows.execute(_THREADS)),
    )


def _counts(rows: Iterable[Any]) -> dict[str, int]:
    return {row[0]: row[1] for row in rows}


def _workers(session: Session, since: float) -> list[WorkerReport]:
    rows = session.connection()
    held: dict[str, Held] = {
        worker: Held(threads, steps, both - steps) for worker, threads, steps, both in rows.execute(HELD)
    }
    return [_worker(row, held.get(row.name, Held()), since) for row in rows.execute(_WORKERS)]


def _worker(row: Any, held: Held, since: float) -> WorkerReport:
    return WorkerReport(
        name=row.name,
        host=row.host,
        started_at=as_datetime(row.started_at),
        seen_at=as_datetime(row.seen_at),
        lives=row.seen_at > since,
        max_steps=row.steps,
        max_tools=row.tools,
        steps=held.steps,
        tools=held.tools,
        agents=tuple(load(row.agents)),
        engine=row.engine,
    )


def _queues(session: Session, now: float) -> list[QueueReport]:
    found: dict[str, dict[str, tuple[int, float]]] = {}
    for kind, state, count, first in session.connection().execute(_QUEUES, {"now": now}):
        found.setdefault(kind, {})[state] = count, first
    none = (0, now)
    return [
        QueueReport(
            kind,
            running=states.get("running", none)[0],
            due=states.get("due", none)[0],
            oldest_wait=max(0.0, now - states.get("due", none)[1]),
            waiting=states.get("waiting", none)[0],
        )
        for kind, states in sorted(found.items())
    ]
