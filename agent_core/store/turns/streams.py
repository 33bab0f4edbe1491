"""Open, cut, keep, replace and commit streams: one row for each attempt at a model step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Update, insert, select, update

from agent_core.domain.end_reasons import End, EndReason
from agent_core.domain.events.outbox_events import EventType
from agent_core.domain.messages import Chunk, Part
from agent_core.domain.states import STREAM as MOVES
from agent_core.domain.states import StreamStatus, sources
from agent_core.store.database.sql import STREAM, THREAD, P, Statement, dump, dump_info, load, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.limits import uncounted
from agent_core.store.threads import deltas
from agent_core.store.threads.messages import ensure_reply
from agent_core.streaming.fold import closing, fold
from agent_core.tools.provider_tools import NO_RESULT, has_outcome, is_hosted

_s = STREAM.c
_mine = (_s.thread_id == P("thread_id"), _s.seq == P("at_seq"))
# Streams of the current reply only, not of replies that were put aside. By the keys: see `store.reads.row_filters`.
_other = STREAM.alias("of_reply")
_present = (
    _s.thread_id == P("thread_id"),
    _s.seq.in_(
        select(_other.c.seq).where(
            _other.c.thread_id == P("thread_id"),
            _other.c.message_id
            == select(THREAD.c.reply_id).where(THREAD.c.id == P("thread_id")).scalar_subquery(),
        )
    ),
)


def _change(event: str, *where: Any, **values: Any) -> Update:
    leaving = sources(MOVES, event)
    (to,) = set(MOVES[event].values())
    return update(STREAM).where(*where, one_of(_s.status, leaving)).values(status=to.value, **values)


def _move(event: str, *where: Any, **values: Any) -> Statement:
    return Statement(_change(event, *where, **values))


_OPEN = Statement(
    insert(STREAM).values(
        status=StreamStatus.STREAMING.value,
        parts="[]",
        **{n: P(n) for n in ("thread_id", "seq", "message_id", "worker", "attempt", "started_at")},
    )
)
_ended = {"parts": P("new_parts"), "ended_at": P("now")}
_mark = {"fingerprint": P("new_fingerprint")}
_COMMIT = Statement(_change("commit", *_mine, usage=P("new_usage"), **_ended, **_mark).returning(_s.seq))
_CUT = _move(
    "cut",
    *_mine,
    **{"error": P("why"), "error_info": P("new_info"), "end_reason": P("new_reason")},
    **_ended | _mark | {"ended_at": P("ended"), "usage": P("new_usage")},
)
_REPLACE = _move("replace", *_present, _s.seq + 0 < P("at_seq"))  # "+ 0": no range of the primary key
_RETIRE_EMPTY = _move("replace", *_present, _s.parts == "[]")
_KEEP = _move("keep", *_present)
_LIVE = Statement(select(_s.message_id).where(*_mine, _s.status == StreamStatus.STREAMING.value))
_PARTIAL = Statement(
    select(_s.seq, _s.message_id).where(*_present, _s.status == StreamStatus.PARTIAL.value).order_by(_s.seq)
)
_HOSTED = Statement(
    select(_s.seq, _s.parts)
    .where(*_present, _s.status == StreamStatus.COMMITTED.value, _s.parts.like(P("pattern")))
    .order_by(_s.seq)
)
_REWRITE = Statement(update(STREAM).where(*_mine).values(parts=P("new_parts")))


class KeptStream(NamedTuple):
    """The key of a stream whose partial text was kept, and its message."""

    seq: int
    message_id: str


def close_hosted(tx: Tx, thread_id: str) -> list[Chunk]:
    """Close calls of provider tools that a pause of the provider left open; return the chunks for readers."""
    chunks: list[Chunk] = []
    rows = tx.all(_HOSTED, thread_id=thread_id, pattern='%"providerExecuted"%')
    answered = {
        part["toolCallId"]
        for _, parts in rows
        for part in load(parts)
        if is_hosted(part) and has_outcome(part)
    }
    for seq, parts in rows:
        closed: list[Part] = []
        for part in load(parts):
            if is_hosted(part) and not has_outcome(part) and part["toolCallId"] not in answered:
                part |= {"state": "output-error", "errorText": NO_RESULT}
                chunks.append(
                    {"type": "tool-output-error", "toolCallId": part["toolCallId"], "errorText": NO_RESULT}
                )
            closed.append(part)
        if dump(closed) != parts:
            tx.do(_REWRITE, thread_id=thread_id, at_seq=seq, new_parts=dump(closed))
    return chunks


def open_stream(tx: Tx, thread_id: str, seq: int, *, message_id: str, worker: str, attempt: int) -> None:
    """Insert the record of an attempt."""
    tx.do(
        _OPEN,
        thread_id=thread_id,
        seq=seq,
        message_id=message_id,
        worker=worker,
        attempt=attempt,
        started_at=tx.now,
    )


def ask_commit(
    tx: Tx, thread_id: str, seq: int, parts: list[Part], usage: str | None, fingerprint: str | None
) -> Callable[[], object]:
    """Execute the commit of a stream; return a function that returns None if it was no longer open."""
    values = {"new_parts": dump(parts), "new_usage": usage, "new_fingerprint": fingerprint}
    return tx.ask(_COMMIT, thread_id=thread_id, at_seq=seq, **values, now=tx.now)


def cut(
    tx: Tx,
    thread_id: str,
    seq: int,
    position: int,
    why: End,
    rest: Sequence[Chunk] = (),
    usage: str | None = None,
    ended: float | None = None,
    fingerprint: str | None = None,
) -> list[Chunk] | None:
    """End an attempt without a commit, and keep its text.

    Args:
        position: the position of its message.
        why: the reason, and a sentence for people.
        rest: its chunks that were not flushed, if they are known.
        usage: the model's name, tokens and cost, as JSON, if the provider has reported them; else they are
            estimated if the step was weighed against limits and budgets.
        ended: when it ended; None: now.
        fingerprint: of its agent, if that is known.

    Returns:
        the chunks for readers: the rest, and the ends of open parts. None: no stream with this seq is open.
    """
    live = tx.one(_LIVE, thread_id=thread_id, at_seq=seq)
    if live is None:
        return None
    (message_id,) = live
    if rest:
        replace_partial(tx, thread_id, seq)
    parts = fold([*deltas.of_stream(tx, thread_id, seq), *rest])
    if all(part["type"] == "step-start" for part in parts):
        parts = []
    if not has_counts(usage):
        was_answered = why.reason is not EndReason.ERROR
        usage = uncounted.end(tx, thread_id, seq, parts, was_answered=was_answered) or usage
    emit_usage(tx, thread_id, seq, usage)
    ends = closing(parts, why)
    parts = fold(ends, parts)
    values = {"why": why.text, "new_info": dump_info(why.text), "new_reason": why.reason.value}
    moment = tx.now if ended is None else ended
    place = {"thread_id": thread_id, "at_seq": seq}
    made = {"new_parts": dump(parts), "new_usage": usage, "new_fingerprint": fingerprint}
    tx.do(_CUT, **place, **values, **made, ended=moment)
    if parts:
        ensure_reply(tx, thread_id, message_id, position)
    return [*rest, *ends]


def emit_usage(tx: Tx, thread_id: str, seq: int, usage: str | None) -> None:
    """Write the event of a step's usage, as JSON, if there was a request."""
    if usage is not None and EventType.USAGE_RECORDED in tx.outbox.types:
        tx.emit(EventType.USAGE_RECORDED, thread_id, step=seq, purpose="step", **load(usage))


def has_counts(usage: str | None) -> bool:
    """Return whether a usage, as JSON, has the counts of its provider."""
    counts: dict[str, Any] = load(usage) or {}
    return counts.get("total_tokens") is not None


def replace_partial(tx: Tx, thread_id: str, seq: int) -> None:
    """Replace the partial text of attempts before `seq`, because the new attempt has its first token."""
    tx.do(_REPLACE, thread_id=thread_id, at_seq=seq)


def keep_partial(tx: Tx, thread_id: str) -> list[KeptStream]:
    """Make partial text a part of the history; return the streams that were kept.

    An attempt without text is not kept; it may have no message.
    """
    if tx.one(_PARTIAL, thread_id=thread_id) is None:
        return []
    tx.do(_RETIRE_EMPTY, thread_id=thread_id)
    kept = [KeptStream(*row) for row in tx.all(_PARTIAL, thread_id=thread_id)]
    tx.do(_KEEP, thread_id=thread_id)
    return kept
