"""Read the current work on a thread: the leases of its wake-ups, and its newest committed step."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func, select
from sqlmodel import Session

from agent_core.domain.durability import Durability, Lease
from agent_core.domain.states import StreamStatus
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.store.database.sql import STREAM, THREAD, WAKE_UP
from agent_core.support.clock import as_datetime

_t, _s, _w = THREAD.c, STREAM.c, WAKE_UP.c
_COMMITTED = select(func.max(_s.seq)).where(_s.status == StreamStatus.COMMITTED)
_WAKE_UPS = select(_w.id, _w.worker, _w.next_run_time).order_by(_w.id)
_LEASE = (
    select(_s.worker, _w.next_run_time)
    .join(WAKE_UP, _w.worker == _s.worker)
    .where(_s.status == StreamStatus.STREAMING)
)


class AttemptLease(NamedTuple):
    """The lease of an attempt at a model step.

    Attributes:
        worker: the process that holds it.
        until: when it expires, in seconds since the epoch. Each heartbeat extends it; a lease that is not
            extended may be a dead worker's.
    """

    worker: str
    until: float


def durability(session: Session, thread_id: str, worker: str, lease: float) -> Durability | None:
    """Return the current work on a thread for the process `worker`; None if there is no thread.

    A lease lasts `lease` seconds without a heartbeat; all workers of a database have the same.
    """
    rows = session.connection()
    thread = rows.execute(select(_t.status, _t.seq, _t.cursor).where(_t.id == thread_id)).first()
    if thread is None:
        return None
    committed = rows.execute(_COMMITTED.where(_s.thread_id == thread_id)).scalar()
    found = rows.execute(_WAKE_UPS.where(_w.thread_id == thread_id)).all()
    free = [row.next_run_time for row in found if row.worker is None]
    return Durability(
        thread_id,
        thread.status,
        thread.seq,
        committed or 0,
        thread.cursor,
        leases=tuple(
            Lease(row.id, row.worker, as_datetime(row.next_run_time - lease), as_datetime(row.next_run_time))
            for row in found
            if row.worker is not None
        ),
        waiting=len(free),
        next_at=as_datetime(min(free)) if free else None,
        worker=worker,
    )


def attempt_lease(session: Session, thread_id: str, seq: int) -> AttemptLease | None:
    """Return the lease of the attempt with the fence `seq`; None: it has ended, or no worker holds it."""
    this = (_s.thread_id == thread_id, _s.seq == seq, _w.id == str(step_key(thread_id)))
    row = session.connection().execute(_LEASE.where(*this)).first()
    return None if row is None else AttemptLease(*row)
