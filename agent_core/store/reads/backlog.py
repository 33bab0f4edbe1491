"""Count the work that waits for a process with room."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import func
from sqlmodel import col, select

from agent_core.store.database.tables import WakeUpRow
from agent_core.store.reads.reader import Reads


class DueWork(NamedTuple):
    """The number of due wake-ups, and the seconds that the oldest has waited."""

    wake_ups: int
    oldest_wait: float


def due(reads: Reads, now: float) -> dict[str | None, DueWork]:
    """Return the due work by its kind."""
    kind, since = col(WakeUpRow.kind), col(WakeUpRow.next_run_time)
    statement = select(kind, func.count(), func.min(since)).where(since <= now).group_by(kind)
    with reads.session() as session:
        return {
            kind: DueWork(count, now - (oldest or now)) for kind, count, oldest in session.exec(statement)
        }
