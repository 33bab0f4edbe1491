"""Read schedules and their runs."""

from __future__ import annotations

from sqlmodel import Session, col, select

from agent_core.errors import ValidationError
from agent_core.schedules.schedule import Schedule, ScheduleReport, ScheduleRun
from agent_core.schedules.triggers import At, trigger_from
from agent_core.store.database.sql import load, load_info
from agent_core.store.database.tables import MessageRow, ScheduleRow, ThreadRow
from agent_core.support.clock import as_datetime


def one(session: Session, schedule_id: str) -> Schedule | None:
    """Return a schedule, or None."""
    row = session.get(ScheduleRow, schedule_id)
    return _to_schedule(row) if row else None


def listed(
    session: Session, *, thread_id: str | None = None, user_id: str | None = None, everybody: bool = False
) -> list[Schedule]:
    """Return schedules, the next to come due first, those that are over last.

    Args:
        thread_id: only the schedules of this thread, of any owner.
        user_id: else only the schedules of this owner; None: those without an owner.
        everybody: else all schedules.
    """
    statement = select(ScheduleRow)
    if thread_id is not None:
        statement = statement.where(ScheduleRow.thread_id == thread_id)
    elif not everybody:
        statement = statement.where(ScheduleRow.user_id == user_id)  # IS NULL without an owner
    rows = session.exec(statement.order_by(col(ScheduleRow.id))).all()
    return sorted(
        map(_to_schedule, rows), key=lambda found: (found.next_at is None, found.next_at or found.created_at)
    )


def everybodys(session: Session, limit: int) -> list[ScheduleReport]:
    """Return the schedules of all owners with how their newest runs went, the next to come due first, up to `limit`."""
    row, last = ScheduleRow, ThreadRow
    joined = select(row, last.status, last.error, last.error_info).join(
        last, col(last.id) == col(row.last_thread_id), isouter=True
    )
    next_at = col(row.next_at)
    due = joined.where(next_at.is_not(None)).order_by(next_at, col(row.id))
    over = joined.where(next_at.is_(None)).order_by(col(row.created_at).desc(), col(row.id))
    found = list(session.exec(due.limit(limit)))
    if len(found) < limit:
        found += session.exec(over.limit(limit - len(found)))
    return [
        ScheduleReport(_to_schedule(each), status, error, load_info(error, info))
        for each, status, error, info in found
    ]


def runs(session: Session, schedule: Schedule, limit: int) -> list[ScheduleRun]:
    """Return the runs of a schedule, newest first, by the ids of their messages, which begin with its id.

    If the schedule has a thread, only that thread is searched; else the threads of its runs, by their ids.
    """
    message, began = MessageRow, f"{schedule.id}-"
    statement = select(message).where(col(message.id).startswith(began, autoescape=True))
    if schedule.thread_id is not None:
        statement = statement.where(message.thread_id == schedule.thread_id)
    else:  # a run's thread has the id of its message
        own = select(ThreadRow.id).where(col(ThreadRow.id).startswith(began, autoescape=True))
        statement = statement.where(col(message.thread_id).in_(own), message.id == message.thread_id)
    rows = session.exec(statement.order_by(col(message.created_at).desc()).limit(limit)).all()
    return [
        ScheduleRun(
            row.thread_id,
            row.id,
            as_datetime(int(row.id.removeprefix(began)) / 1000),
            as_datetime(row.created_at),
            row.queued,
        )
        for row in rows
        if row.id.removeprefix(began).isdecimal()
    ]


def _to_schedule(row: ScheduleRow) -> Schedule:
    """Return a schedule from its row."""
    try:
        trigger = trigger_from(load(row.trigger))
    except ValidationError:  # the row was edited by hand; its run stores the error
        trigger = At(0.0)
    return Schedule(
        id=row.id,
        thread_id=row.thread_id,
        agent=row.agent,
        user_id=row.user_id,
        title=row.title,
        parts=load(row.parts),
        trigger=trigger,
        missed="skip" if row.missed_policy == "skip" else "run_once",
        max_runs=row.max_runs,
        next_at=None if row.next_at is None else as_datetime(row.next_at),
        last_at=None if row.last_at is None else as_datetime(row.last_at),
        last_thread_id=row.last_thread_id,
        runs=row.runs,
        missed_runs=row.missed,
        paused=bool(row.paused),
        error=row.error,
        created_at=as_datetime(row.created_at),
        metadata=load(row.meta),
        error_info=load_info(row.error, row.error_info),
    )
