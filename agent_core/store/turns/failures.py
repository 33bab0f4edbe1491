"""List failed threads, and retry them unless they have gone on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session

from agent_core.domain.reports import FailedThread, FailureCount, FailureReport
from agent_core.domain.states import ThreadStatus
from agent_core.errors import ThreadNotFoundError
from agent_core.store.database.sql import THREAD, load_info, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.threads.thread_row import lock
from agent_core.store.turns import turns
from agent_core.support.clock import as_datetime

_t = THREAD.c
_failed = one_of(_t.status, [ThreadStatus.FAILED]), _t.delete_at.is_(None)
_kind = func.coalesce(_t.error_kind, "")
_COUNTS = select(_t.agent, _kind, func.count()).where(*_failed).group_by(_t.agent, _kind)
_COLUMNS = (
    *(_t.id, _t.title, _t.user_id, _t.agent, _t.seq),
    *(_t.error, _t.error_kind, _t.error_info, _t.updated_at),
)


def report(
    session: Session, now: float, limit: int, agent: str | None, error_kind: str | None
) -> FailureReport:
    """Return the failed threads of an agent and with a kind of error (None: any), and the numbers of all."""
    wanted = select(*_COLUMNS).where(*_wanted(agent, error_kind)).order_by(_t.updated_at.desc()).limit(limit)
    threads = [
        FailedThread(
            thread_id=row.id,
            title=row.title,
            user_id=row.user_id,
            agent=row.agent,
            seq=row.seq,
            error=row.error or "",
            error_kind=row.error_kind or "",
            error_info=load_info(row.error, row.error_info),
            failed_at=as_datetime(row.updated_at),
        )
        for row in session.connection().execute(wanted)
    ]
    counts = [FailureCount(*row) for row in session.connection().execute(_COUNTS)]
    counts.sort(key=lambda each: (-each.threads, each.agent, each.error_kind))
    return FailureReport(as_datetime(now), counts, threads)


def oldest(
    session: Session, until: float, limit: int, agent: str | None, error_kind: str | None
) -> dict[str, int]:
    """Return the fencing tokens of the threads that failed first, and not after `until`, by their ids."""
    wanted = select(_t.id, _t.seq).where(*_wanted(agent, error_kind), _t.updated_at <= until)
    rows = session.connection().execute(wanted.order_by(_t.updated_at).limit(limit))
    return {row.id: row.seq for row in rows}


def retry(tx: Tx, thread_id: str, seq: int) -> bool:
    """Run the failed step of a thread again; return False if the thread has gone on since `seq`, or is gone."""
    try:
        at = lock(tx, thread_id)
    except ThreadNotFoundError:
        return False
    return at.status is ThreadStatus.FAILED and at.seq == seq and turns.resume(tx, thread_id, None)


def _wanted(agent: str | None, error_kind: str | None) -> list[Any]:
    """Build the conditions of failed threads of an agent, and with a kind of error."""
    given = (_t.agent, agent), (_kind, error_kind)
    return [*_failed, *(column == name for column, name in given if name is not None)]
