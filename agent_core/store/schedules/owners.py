"""Hold the schedules of an owner who may not use the application, and release them: functions of a database session.

An application calls them in the transaction that shuts its user out, so that neither happens without the other. They
write no wake-ups: that of a held schedule ends when it is due, and the reconciler makes the next one of a schedule that
was released.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import func, update
from sqlmodel import Session, col, select

from agent_core.errors import ValidationError
from agent_core.schedules.triggers import trigger_from
from agent_core.store.database.sql import load
from agent_core.store.database.tables import ScheduleRow


def hold_schedules(session: Session, user_id: str) -> int:
    """Pause the schedules of an owner that are neither paused nor over; return how many."""
    own = update(ScheduleRow).where(
        col(ScheduleRow.user_id) == user_id, col(ScheduleRow.next_at).is_not(None)
    )
    held = session.exec(own.where(~col(ScheduleRow.paused)).values(paused=True, held=True))
    return held.rowcount


def release_schedules(session: Session, user_id: str, now: float) -> int:
    """Resume the schedules that `hold_schedules` has paused, except those that somebody paused since; return how many.

    Runs that came due meanwhile are not made up for: a schedule with no other run is over.

    Args:
        now: seconds since the epoch.
    """
    own = select(ScheduleRow).where(ScheduleRow.user_id == user_id, col(ScheduleRow.held))
    found = session.exec(own.order_by(col(ScheduleRow.id)).with_for_update()).all()
    for row in found:
        row.paused = row.held = False
        row.next_at = _next(row, now)
        session.add(row)
    return len(found)


def count_held(session: Session, user_ids: Collection[str]) -> dict[str, int]:
    """Return the number of held schedules of each of the owners who have any."""
    counted = select(col(ScheduleRow.user_id), func.count()).where(
        col(ScheduleRow.user_id).in_(user_ids), col(ScheduleRow.held)
    )
    rows = session.exec(counted.group_by(col(ScheduleRow.user_id)))
    return {user_id: count for user_id, count in rows if user_id is not None}


def _next(row: ScheduleRow, now: float) -> float | None:
    """Return when a schedule is due next; None: never. One whose trigger cannot be read is due, as its run says why."""
    try:
        return trigger_from(load(row.trigger)).next_after(now)
    except ValidationError:
        return row.next_at
