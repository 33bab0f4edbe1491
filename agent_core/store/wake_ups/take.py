"""Lease due wake-ups, fairly between people, and of one person between threads."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import and_, case, func, literal, or_, select, update

from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.store.database.sql import WAKE_UP, P, Statement, one_of
from agent_core.store.database.transaction import Tx

_SCHEDULE_PATIENCE = 60.0  # seconds after which a schedule's run no longer lets people's messages pass
_NO_LIMIT = 2**31 - 1

_w = WAKE_UP.c
_person = func.coalesce(_w.user_id, _w.thread_id)
# Suspects are leased by `admit`; wake-ups that a worker holds are freed by `bury` or `release` first.
_due = and_(_w.next_run_time <= P("now"), _w.worker.is_(None), _w.company.is_(None))
_lets_pass = case((and_(_w.scheduled, _w.next_run_time > P("now") - _SCHEDULE_PATIENCE), 1), else_=0)


class Leased(NamedTuple):
    """A leased wake-up, and the person whose work it is; None: nobody's."""

    key: WakeUpKey
    user_id: str | None


def leased(row: tuple[Any, ...]) -> Leased:
    """Read a row of (id, user_id)."""
    text, user_id = row
    return Leased(WakeUpKey.parse(text), user_id)


def _running() -> Any:
    """Build the number of threads of each person that any worker runs."""
    of_work = one_of(_w.kind, [WakeUpKind.STEP, WakeUpKind.TOOL])
    threads = (
        select(_person.label("person"), _w.thread_id)
        .where(_w.worker.is_not(None), of_work)
        .distinct()
        .subquery()
    )
    return (
        select(threads.c.person, func.count().label("threads")).group_by(threads.c.person).subquery("running")
    )


def _take(*kinds: WakeUpKind) -> Statement:
    """Build the lease of due wake-ups of some kinds.

    People's messages come before schedules' runs. Who has fewest threads running comes next, so that slots which
    become free one by one do not all go to whoever has waited longest; then the oldest of each thread.
    """
    turn = func.row_number().over(partition_by=_w.thread_id, order_by=_w.next_run_time)
    found = (
        select(
            _w.id,
            _w.kind,
            _w.next_run_time.label("since"),
            _person.label("person"),
            _lets_pass.label("lets_pass"),
            turn.label("turn"),
        )
        .where(_due, one_of(_w.kind, kinds))
        .subquery("found")
    )
    of_person = func.row_number().over(
        partition_by=found.c.person, order_by=(found.c.lets_pass, found.c.turn, found.c.since)
    )
    running = _running()
    rank = func.coalesce(running.c.threads, 0) + of_person
    ranked = (
        select(found.c.id, found.c.kind, found.c.since, found.c.lets_pass, rank.label("rank"))
        .select_from(found.outerjoin(running, running.c.person == found.c.person))
        .subquery("ranked")
    )
    chosen = (
        select(ranked.c.id)
        .where(or_(ranked.c.kind != WakeUpKind.STEP.value, ranked.c.rank <= P("most_of_person")))
        .order_by(ranked.c.lets_pass, ranked.c.rank, ranked.c.since)
        .limit(P("most"))
    )
    # `_due` again, because PostgreSQL checks a row again when it has its lock.
    free = select(_w.id).where(_due, _w.id.in_(chosen)).with_for_update(skip_locked=True)
    values = {"next_run_time": P("until"), "worker": P("by")}
    return Statement(update(WAKE_UP).where(_w.id.in_(free)).values(values).returning(_w.id, _w.user_id))


_TAKE = {
    "step": _take(WakeUpKind.STEP),
    "tool": _take(WakeUpKind.TOOL),
    "work": _take(WakeUpKind.STEP, WakeUpKind.TOOL),
    "other": _take(WakeUpKind.TIMEOUT, WakeUpKind.SCHEDULE),
    "outbox": _take(WakeUpKind.OUTBOX),
}
# Of two workers that count at once, each would start a person's last thread.
_ALONE = Statement(
    select(literal(1)),  # SQLite has one writer
    postgresql=select(func.pg_advisory_xact_lock(7_236_401_887)),  # an arbitrary number
)


def take(
    tx: Tx, kind: str, most: int, *, until: float, by: str, delay: float, most_of_person: int | None
) -> list[Leased]:
    """Lease wake-ups that have been due for `delay` seconds, without suspects.

    Args:
        kind: "step", "tool", "work" for both, "outbox", or "other" for timeouts and schedules.
        most: maximum number of wake-ups.
        until: when the lease expires, in seconds since the epoch.
        most_of_person: maximum number of threads of one person that all workers together run; tools of turns that have
            begun are not limited.
    """
    if most_of_person is not None:
        tx.one(_ALONE)
    limit = _NO_LIMIT if most_of_person is None else most_of_person
    values = {"now": tx.now - delay, "until": until, "by": by, "most": most, "most_of_person": limit}
    return [leased(row) for row in tx.all(_TAKE[kind], **values)]
