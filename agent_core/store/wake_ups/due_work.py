"""Read the work that is due, without the write lock, which is taken only if there is work to lease."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Engine, Select, bindparam, exists, func, or_, select
from sqlmodel import Session

from agent_core.domain.wake_ups.wake_up_key import WakeUpKind
from agent_core.store.database.sql import WAKE_UP

_w = WAKE_UP.c
_free = select(_w.id).where(_w.worker.is_(None))
_of_runs = or_(_w.kind.is_(None), _w.kind != WakeUpKind.OUTBOX.value)


def _due(*where: Any) -> Select[bool, bool]:
    """Build whether fresh work is due for which `where` holds, and whether a suspect is."""
    return select(
        exists(_free.where(_w.company.is_(None), _w.next_run_time <= bindparam("since"), *where)),
        exists(_free.where(_w.company.is_not(None), _w.next_run_time <= bindparam("now"))),
    )


_DUE = {True: _due(), False: _due(_of_runs)}
"""Statements that ask whether work is due; the one under True includes deliveries of the outbox."""

_NEXT_RUN = select(func.min(_w.next_run_time)).where(_of_runs)
_EXPIRED = select(_w.worker).where(_w.worker.is_not(None), _w.next_run_time <= bindparam("now")).distinct()
_BACKLOG = (
    select(_w.kind, func.count(), func.min(_w.next_run_time))
    .where(_w.next_run_time <= bindparam("now"))
    .group_by(_w.kind)
)

_UNLEASED = _BACKLOG.where(_w.worker.is_(None))


class DueKinds(NamedTuple):
    """Whether fresh work is due, and whether suspects are."""

    fresh: bool
    suspect: bool


class DueWork(NamedTuple):
    """The number of due wake-ups, and the seconds that the oldest has waited."""

    wake_ups: int
    oldest_wait: float


def anything_due(session: Session, now: float, delay: float = 0.0, *, outbox: bool = False) -> DueKinds:
    """Return whether fresh work has been due for `delay` seconds, and whether a suspect is due.

    Args:
        outbox: whether deliveries of the outbox count.
    """
    moments = {"since": now - delay, "now": now}
    fresh, suspect = session.connection().execute(_DUE[outbox], moments).one()
    return DueKinds(bool(fresh), bool(suspect))


def next_run(engine: Engine) -> float | None:
    """Return when the next wake-up is due, leases included and deliveries of the outbox not; None: none is."""
    with engine.begin() as connection:
        return connection.execute(_NEXT_RUN).scalar()


def expired(session: Session, now: float) -> list[str]:
    """Return the workers with an expired lease."""
    return list(session.connection().execute(_EXPIRED, {"now": now}).scalars())


def backlog(session: Session, now: float) -> dict[str | None, DueWork]:
    """Return the due work by its kind."""
    rows = session.connection().execute(_BACKLOG, {"now": now})
    return {kind: DueWork(count, now - (oldest or now)) for kind, count, oldest in rows}


def unleased(session: Session, now: float) -> dict[str | None, DueWork]:
    """Return the due work that no worker has leased, by its kind."""
    rows = session.connection().execute(_UNLEASED, {"now": now})
    return {kind: DueWork(count, now - (oldest or now)) for kind, count, oldest in rows}
