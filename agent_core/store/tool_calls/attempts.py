"""The attempts at a tool call: those before the newest one, and what readers see of a call under way.

Earlier attempts are written down when something went wrong, and only then; a call that runs once and
ends costs nothing here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlmodel import Session

from agent_core.domain.end_reasons import End
from agent_core.domain.messages import Chunk
from agent_core.domain.states import OPEN_CALLS, CallStatus
from agent_core.sentences import info_of
from agent_core.store.database.columns import CALL, P, dump, load
from agent_core.store.database.statement import Statement, one_of
from agent_core.store.database.transaction import Tx

_MAX_ATTEMPTS = 50  # the row must not grow with a tool that is tried for days
_MAX_WORDS = 2_000
_c = CALL.c
_this = (_c.thread_id == P("thread_id"), _c.id == P("call_id"))
_NEWEST = Statement(select(_c.attempt, _c.worker, _c.started_at, _c.attempts).where(*_this))
_NOTE = Statement(update(CALL).where(*_this).values(attempts=P("new_attempts")))
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

Newest = tuple[int, str | None, float | None, str | None]
"""attempt, worker, started_at, and the attempts before it as JSON."""


def newest(tx: Tx, thread_id: str, call_id: str) -> Newest:
    """Return the newest attempt at a call, which there is."""
    attempt, worker, started_at, earlier = tx.must(_NEWEST, thread_id=thread_id, call_id=call_id)
    return attempt, worker, started_at, earlier


def note(
    tx: Tx, thread_id: str, call_id: str, attempt: Newest, end: End, next_at: float | None = None
) -> None:
    """Write down that an attempt ended without an outcome; another one follows, at `next_at`."""
    number, worker, started_at, earlier = attempt
    entry = {
        **{"attempt": number, "worker": worker, "started_at": started_at, "ended_at": tx.now},
        **{"error": end.text[:_MAX_WORDS], "end_reason": end.reason, "next_at": next_at},
        "error_info": info_of(end.text),
    }
    before: list[dict[str, Any]] = load(earlier) or []
    tx.do(_NOTE, thread_id=thread_id, call_id=call_id, new_attempts=dump([*before, entry][-_MAX_ATTEMPTS:]))


def run_chunk(call_id: str, **data: Any) -> Chunk:
    """Return what tells the readers how a call runs: status, attempt, started_at or next_at, error and error_info."""
    return {"type": "data-tool-run", "id": call_id, "data": data, "transient": True}


def progress_chunk(call_id: str, data: Any) -> Chunk:
    """Return what tells the readers what a tool has reported."""
    return {"type": "data-tool-progress", "id": call_id, "data": data, "transient": True}


def under_way(session: Session, thread_id: str) -> list[Chunk]:
    """Return what a reader who comes now has missed of a thread's open calls."""
    chunks: list[Chunk] = []
    found = session.connection().execute(_UNDER_WAY.where(_c.thread_id == thread_id))
    for call_id, status, attempt, started_at, progress, earlier in found:
        if status == CallStatus.PENDING:  # with attempts behind it: it waits for the next one
            chunks.append(run_chunk(call_id, **_retrying(attempt, load(earlier))))
        else:
            chunks.append(run_chunk(call_id, status=status, attempt=attempt, started_at=started_at))
        if progress is not None:
            chunks.append(progress_chunk(call_id, load(progress)))
    return chunks


def busy(session: Session, thread_id: str) -> bool:
    """Whether a call of the thread runs or will run; False: nothing is open, or all of it waits for people."""
    return session.connection().execute(_BUSY.where(_c.thread_id == thread_id)).first() is not None


def working(tx: Tx, thread_id: str) -> bool:
    """Say the same within a transaction."""
    return tx.one(_WORKING, thread_id=thread_id) is not None


def _retrying(attempt: int, earlier: list[dict[str, Any]] | None) -> dict[str, Any]:
    last = earlier[-1] if earlier else {}
    return {
        **{"status": "retrying", "attempt": attempt},
        **{name: last.get(name) for name in ("next_at", "error", "error_info")},
    }
