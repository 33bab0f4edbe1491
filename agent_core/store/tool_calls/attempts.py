"""Record the failed attempts at a tool call, and read the state of the calls that run.

An attempt is recorded only if it fails; a call that succeeds at once costs nothing here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlmodel import Session

from agent_core.domain.end_reasons import End
from agent_core.domain.messages import Chunk
from agent_core.domain.states import OPEN_CALLS, CallStatus
from agent_core.sentences import info_of
from agent_core.store.database.sql import CALL, P, Statement, dump, load, one_of
from agent_core.store.database.transaction import Tx

_MAX_ATTEMPTS = 50  # bounds the row of a tool that is retried for days
_MAX_ERROR = 2_000  # characters
_c = CALL.c
_this = (_c.thread_id == P("thread_id"), _c.id == P("call_id"))
_NEWEST = Statement(select(_c.attempt, _c.worker, _c.started_at, _c.attempts).where(*_this))
_RECORD = Statement(update(CALL).where(*_this).values(attempts=P("new_attempts")))
_UNDER_WAY = (
    select(_c.id, _c.status, _c.attempt, _c.started_at, _c.progress, _c.attempts)
    .where(one_of(_c.status, OPEN_CALLS), _c.attempt > 0)
    .order_by(_c.seq, _c.position)
)

_BUSY = (
    select(_c.id)
    .where(one_of(_c.status, OPEN_CALLS), one_of(_c.status, [CallStatus.PENDING, CallStatus.RUNNING]))
    .limit(1)
)
_WORKING = Statement(_BUSY.where(_c.thread_id == P("thread_id")))


class Attempt(NamedTuple):
    """An attempt at a tool call, and the attempts before it as JSON."""

    number: int
    worker: str | None
    started_at: float | None
    earlier: str | None


def newest(tx: Tx, thread_id: str, call_id: str) -> Attempt:
    """Return the newest attempt at a call."""
    return Attempt(*tx.must(_NEWEST, thread_id=thread_id, call_id=call_id))


def record(
    tx: Tx, thread_id: str, call_id: str, attempt: Attempt, end: End, next_at: float | None = None
) -> None:
    """Record that an attempt ended without an outcome; the next one follows at `next_at`."""
    run = {"attempt": attempt.number, "worker": attempt.worker, "started_at": attempt.started_at}
    entry = {
        **run,
        "ended_at": tx.now,
        **{"error": end.text[:_MAX_ERROR], "end_reason": end.reason, "next_at": next_at},
        "error_info": info_of(end.text),
    }
    before: list[dict[str, Any]] = load(attempt.earlier) or []
    tx.do(_RECORD, thread_id=thread_id, call_id=call_id, new_attempts=dump([*before, entry][-_MAX_ATTEMPTS:]))


def run_chunk(call_id: str, **data: Any) -> Chunk:
    """Build the chunk with a call's run: status, attempt, started_at or next_at, error and error_info."""
    return {"type": "data-tool-run", "id": call_id, "data": data, "transient": True}


def progress_chunk(call_id: str, data: Any) -> Chunk:
    """Build the chunk with a tool's progress report."""
    return {"type": "data-tool-progress", "id": call_id, "data": data, "transient": True}


def open_runs(session: Session, thread_id: str) -> list[Chunk]:
    """Return the chunks with the runs and the progress of a thread's open calls, for a new reader."""
    chunks: list[Chunk] = []
    found = session.connection().execute(_UNDER_WAY.where(_c.thread_id == thread_id))
    for call_id, status, attempt, started_at, progress, earlier in found:
        if status == CallStatus.PENDING:  # after a failed attempt: it waits for the next one
            chunks.append(run_chunk(call_id, **_retrying(attempt, load(earlier))))
        else:
            chunks.append(run_chunk(call_id, status=status, attempt=attempt, started_at=started_at))
        if progress is not None:
            chunks.append(progress_chunk(call_id, load(progress)))
    return chunks


def is_busy(session: Session, thread_id: str) -> bool:
    """Whether a call of the thread runs or will run; False if all open calls wait for people."""
    return session.connection().execute(_BUSY.where(_c.thread_id == thread_id)).first() is not None


def is_working(tx: Tx, thread_id: str) -> bool:
    """Whether a call of the thread runs or will run; see `is_busy`."""
    return tx.one(_WORKING, thread_id=thread_id) is not None


def _retrying(attempt: int, earlier: list[dict[str, Any]] | None) -> dict[str, Any]:
    last = earlier[-1] if earlier else {}
    return {
        **{"status": "retrying", "attempt": attempt},
        **{name: last.get(name) for name in ("next_at", "error", "error_info")},
    }
