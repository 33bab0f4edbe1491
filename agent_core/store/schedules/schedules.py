"""Create, change, pause and delete schedules; `runs` runs them.

The wake-up `schedule:<id>` is due at `next_at`, unless the schedule is paused or over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import delete, insert, select, update

from agent_core.domain.messages import Part
from agent_core.domain.wake_ups.wake_up_key import WakeUpKind, schedule_key
from agent_core.errors import ScheduleNotFoundError, ValidationError
from agent_core.schedules.triggers import Every, Trigger, trigger_from
from agent_core.sentences import sentence
from agent_core.store.database.sql import SCHEDULE, WAKE_UP, P, Statement, dump, load, one_of
from agent_core.store.database.tables import ScheduleRow
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import files
from agent_core.store.threads.thread_row import lock

_s = SCHEDULE.c
_this = _s.id == P("schedule_id")
_NAMES = [column.name for column in SCHEDULE.columns]
_INSERT = Statement(insert(SCHEDULE).values({name: P(name) for name in _NAMES}))
_LOCK = Statement(select(*(_s[name] for name in _NAMES)).where(_this).with_for_update())
_DELETE = Statement(delete(SCHEDULE).where(_this))
_LATER = Statement(
    select(_s.id, _s.trigger, _s.next_at, _s.last_at, _s.created_at)
    .where(_s.next_at > P("now"), ~_s.paused)
    .order_by(_s.id)
    .with_for_update()
)
_MAX_WAIT = (
    8.0  # seconds of a lease or retry after the clock was set back: a retry may come early, never a day late
)
_w = WAKE_UP.c
_SHORTEN = Statement(
    update(WAKE_UP)
    .where(
        _w.next_run_time > P("until"), one_of(_w.kind, [WakeUpKind.STEP, WakeUpKind.TOOL, WakeUpKind.OUTBOX])
    )
    .values(next_run_time=P("until"))
)
_MOVE = Statement(
    update(SCHEDULE).where(_this).values(next_at=P("new_next"), paused=P("new_paused"), held=False)
)


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A validated schedule with an anchored trigger, to be stored.

    Attributes:
        files: see `NewMessage`.
    """

    id: str
    thread_id: str | None
    agent: str
    user_id: str | None
    title: str | None
    parts: list[dict[str, Any]]
    trigger: Trigger
    missed: str
    max_runs: int | None
    metadata: dict[str, Any]
    files: Mapping[str, str] = field(default_factory=dict[str, str])


class _LaterSchedule(NamedTuple):
    id: str
    trigger: str
    next_at: float
    last_at: float | None
    created_at: float


def create(tx: Tx, new: NewSchedule) -> bool:
    """Store a schedule with its first wake-up; return False if one with this id exists.

    Raises:
        ThreadNotFoundError: there is no such thread.
        ValidationError: the trigger never comes due.
    """
    if tx.one(_LOCK, schedule_id=new.id) is not None:
        return False
    if new.thread_id is not None:
        lock(tx, new.thread_id)
    next_at = _first_after(new.trigger, tx.now)
    files.take(tx, files.kept_by(new.id), new.parts, new.files)
    tx.run(
        _INSERT,
        **{name: getattr(new, name) for name in ("id", "thread_id", "agent", "user_id", "title", "max_runs")},
        parts=dump(new.parts),
        trigger=dump(new.trigger.to_dict()),
        missed_policy=new.missed,
        next_at=next_at,
        meta=dump(new.metadata),
        created_at=tx.now,
        **dict.fromkeys(("paused", "held"), False),
        **dict.fromkeys(("runs", "missed"), 0),
        **dict.fromkeys(("last_at", "last_thread_id", "error", "error_info"), None),
    )
    tx.wake.enqueue(tx, schedule_key(new.id), next_at)
    return True


def _first_after(trigger: Trigger, now: float) -> float:
    """Return when a trigger comes due next.

    Raises:
        ValidationError: it never comes due.
    """
    next_at = trigger.next_after(now)
    if next_at is None:
        raise ValidationError(sentence("schedule_never_due"))
    return next_at


def pause(tx: Tx, schedule_id: str) -> None:
    """Pause a schedule until it is resumed.

    Raises:
        ScheduleNotFoundError
    """
    row = must(tx, schedule_id)
    tx.run(_MOVE, schedule_id=row.id, new_next=row.next_at, new_paused=True)
    tx.wake.done(tx, schedule_key(row.id), mine=False)


def resume(tx: Tx, schedule_id: str) -> None:
    """Resume a paused schedule; runs that came due during the pause are not made up for.

    Raises:
        ScheduleNotFoundError
        ValidationError: its trigger never comes due again.
    """
    row = must(tx, schedule_id)
    if row.paused:
        next_at = _first_after(trigger_from(load(row.trigger)), tx.now)
        tx.run(_MOVE, schedule_id=row.id, new_next=next_at, new_paused=False)
        tx.wake.enqueue(tx, schedule_key(row.id), next_at)


def change(
    tx: Tx,
    schedule_id: str,
    trigger: Trigger | None,
    prompt: Sequence[Part],
    sources: Mapping[str, str],
    **columns: Any,
) -> None:
    """Change a schedule; a new trigger sets the next run, even if the schedule was over.

    Raises:
        ScheduleNotFoundError
        ValidationError: the new trigger never comes due.
    """
    row = must(tx, schedule_id)
    if trigger is not None:
        next_at = _first_after(trigger, tx.now)
        columns |= {"trigger": dump(trigger.to_dict()), "next_at": next_at, "error": None}
        if not row.paused:
            tx.wake.enqueue(tx, schedule_key(row.id), next_at)
    files.take(tx, files.kept_by(row.id), prompt, sources)
    if columns:
        tx.run(Statement(update(SCHEDULE).where(_this).values(**columns)), schedule_id=row.id)


def remove(tx: Tx, schedule_id: str) -> None:
    """Delete a schedule; its messages and threads stay.

    Raises:
        ScheduleNotFoundError
    """
    if not tx.run(_DELETE, schedule_id=schedule_id):
        raise _missing(schedule_id)
    files.delete_all(tx, files.kept_by(schedule_id))
    tx.wake.done(tx, schedule_key(schedule_id), mine=False)


def after_clock_rollback(tx: Tx) -> int:
    """Shorten leases, retries and repeating schedules, whose moments are further away than intended; return how many.

    Leases that are no longer extended expire, and retries are made, within seconds. Timeouts and schedules that run
    once keep their moment.
    """
    return tx.run(_SHORTEN, until=tx.now + _MAX_WAIT) + _move_schedules(tx)


def _move_schedules(tx: Tx) -> int:
    """Move the next run of repeating schedules forward; return how many.

    A schedule that runs every five minutes continues to do so, and does not wait until the clock has caught up. A
    time that has had its run gets no second one.
    """
    moved = 0
    for schedule in [_LaterSchedule(*row) for row in tx.all(_LATER, now=tx.now)]:
        try:
            trigger = trigger_from(load(schedule.trigger))
        except ValidationError:  # its run stores the error
            continue
        if isinstance(trigger, Every) and (schedule.last_at is not None or schedule.created_at > tx.now):
            start = schedule.next_at % trigger.seconds  # its first start is past, or was
            trigger = Every(trigger.seconds, start)
        nearer = trigger.next_after(tx.now)
        if nearer is not None and nearer < schedule.next_at:
            tx.run(_MOVE, schedule_id=schedule.id, new_next=nearer, new_paused=False)
            tx.wake.enqueue(tx, schedule_key(schedule.id), nearer)
            moved += 1
    return moved


def locked(tx: Tx, schedule_id: str) -> ScheduleRow | None:
    """Lock a schedule's row and return it, or None."""
    row = tx.one(_LOCK, schedule_id=schedule_id)
    return None if row is None else ScheduleRow(**dict(zip(_NAMES, row, strict=True)))


def must(tx: Tx, schedule_id: str) -> ScheduleRow:
    """Lock a schedule's row and return it.

    Raises:
        ScheduleNotFoundError
    """
    row = locked(tx, schedule_id)
    if row is None:
        raise _missing(schedule_id)
    return row


def _missing(schedule_id: str) -> ScheduleNotFoundError:
    return ScheduleNotFoundError(sentence("schedule_not_found", schedule=schedule_id))
