"""Reading how much work waits for a process that has room."""

from __future__ import annotations

from sqlalchemy import func
from sqlmodel import col, select

from agent_core.store.database.tables import WakeUpRow
from agent_core.store.reads.reader import Reads


def due(reads: Reads, now: float) -> dict[str | None, tuple[int, float]]:
    """Return (how many, seconds that the oldest has waited) by the kind of work."""
    kind, since = col(WakeUpRow.kind), col(WakeUpRow.next_run_time)
    statement = select(kind, func.count(), func.min(since)).where(since <= now).group_by(kind)
    with reads.session() as session:
        return {row[0]: (row[1], now - (row[2] or now)) for row in session.exec(statement)}
