"""Read a thread's timeline from its rows, which record each attempt at a model step or a tool call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection, func, select
from sqlmodel import Session

from agent_core.domain.end_reasons import EndReason
from agent_core.domain.spans import Span, SpanKind, SpanStatus
from agent_core.domain.states import RUNNING, CallStatus, StreamStatus
from agent_core.domain.usage import Tally, tally_of
from agent_core.store.database.sql import CALL, MESSAGE, STREAM, THREAD, load, load_info
from agent_core.store.limits import admissions
from agent_core.store.reads.row_filters import calls_of, streams_of
from agent_core.support.clock import as_datetime

_s, _c, _m, _t = STREAM.c, CALL.c, MESSAGE.c, THREAD.c
_STREAMS = select(
    *(_s.seq, _s.message_id, _s.status, _s.worker, _s.attempt, _s.usage, _s.error, _s.error_info),
    *(_s.end_reason, _s.started_at, _s.ended_at, _s.fingerprint, _s.pause),
).order_by(_s.seq)
_CALLS = select(
    *(_c.id, _c.seq, _c.message_id, _c.name, _c.status, _c.attempt, _c.worker, _c.error, _c.error_info),
    *(_c.end_reason, _c.approval, _c.created_at, _c.started_at, _c.ended_at, _c.attempts),
).order_by(_c.seq, _c.position)
_MESSAGES = select(
    *(_m.id, _m.role, _m.position, _m.branch, _m.queued, _m.parent_id, _m.created_at)
).order_by(_m.position)
_THREAD = select(
    *(_t.status, _t.reply_id.label("reply_id"), _t.reply_position.label("reply_position")),
    *(_t.retry_state, _t.updated_at),
)

Record = Any
"""A row with the columns that its reader selected."""

_SHORTEST = 0.1
"""Seconds of waiting for a worker below which there is no "queued" span."""

_STATUS: dict[str, SpanStatus] = {
    CallStatus.RUNNING: "running",
    CallStatus.WAITING: "waiting",
    CallStatus.SUCCEEDED: "ok",
}
_ENDED: dict[str, SpanStatus] = {
    EndReason.IN_DOUBT: "in doubt",
    EndReason.STOPPED: "stopped",
    EndReason.PASSED_OVER: "stopped",
}
_CUT: dict[str, SpanStatus] = {
    EndReason.PROCESS_ENDED: "lost",
    EndReason.RELEASED: "released",
    EndReason.STOPPED: "stopped",
}
_ENDED_TURN: dict[str, SpanStatus] = {"completed": "ok", "failed": "failed", "stopped": "stopped"}
_AS_TURN: dict[str, SpanStatus] = {"lost": "stopped", "released": "stopped", "retried": "failed"}


def timeline(
    session: Session, thread_id: str, turns: int | None = None, replies: Sequence[str] | None = None
) -> list[Span] | None:
    """Return the spans of a thread, ordered by start; None if there is no thread.

    Args:
        turns: only the newest turns, and queued messages; None: all.
        replies: only the turns of these replies, and queued messages.
    """
    rows = session.connection()
    thread = rows.execute(_THREAD.where(_t.id == thread_id)).first()
    if thread is None:
        return None
    of_streams, of_calls, of_messages = (c.thread_id == thread_id for c in (_s, _c, _m))
    if turns is not None:
        replies = _newest(rows, thread_id, turns)
    if replies is not None:
        of_streams &= streams_of(thread_id, replies)
        of_calls &= calls_of(thread_id, replies)
        of_messages &= _m.position >= _first_prompt(rows, thread_id, thread, replies)
    streams = rows.execute(_STREAMS.where(of_streams)).all()
    calls = rows.execute(_CALLS.where(of_calls)).all()
    messages = rows.execute(_MESSAGES.where(of_messages)).all()
    spans = [*_model_spans(thread, streams)]
    for call in calls:
        spans += _call_spans(call)
    spans += _pauses(thread, streams)
    spans += _queued_steps(thread, streams, calls)
    spans += _queued_turns(thread, streams, messages)
    replied = _turn_spans(thread, spans)
    return sorted([*replied, *spans], key=lambda span: span.started_at)


def _newest(rows: Connection, thread_id: str, turns: int) -> list[str]:
    """Return the ids of the replies of the newest turns with a model request."""
    newest = select(_s.message_id).group_by(_s.message_id).order_by(func.max(_s.seq).desc())
    return list(rows.execute(newest.where(_s.thread_id == thread_id).limit(turns)).scalars())


def _first_prompt(rows: Connection, thread_id: str, thread: Record, replies: Sequence[str]) -> int:
    """Return the position of the message before the first of these replies, or an earlier one."""
    place = select(func.min(_m.position)).where(_m.thread_id == thread_id, _m.id.in_(replies))
    first = rows.execute(place).scalar()
    if thread.reply_id in replies:  # it may have no row before its first committed step
        first = thread.reply_position if first is None else min(first, thread.reply_position)
    return (first or 1) - 1


# model steps


def _model_spans(thread: Record, streams: Sequence[Record]) -> Iterator[Span]:
    recovered = False
    for row, following in pairwise([*streams, None]):
        assert row is not None
        same = following if following is not None and following.message_id == row.message_id else None
        waits = following is None and thread.retry_state is not None
        status = _stream_status(row, waits or (same is not None and same.attempt == row.attempt + 1))
        usage: dict[str, Any] | None = load(row.usage)
        yield Span(
            f"model:{row.seq}",
            "model",
            status,
            **_times(row.started_at, row.ended_at),
            name=usage["model"] if usage else None,
            worker=row.worker,
            attempt=row.attempt,
            recovered=recovered,
            error=row.error,
            error_info=load_info(row.error, row.error_info),
            end_reason=row.end_reason,
            message_id=row.message_id,
            seq=row.seq,
            usage=usage,
            parent=f"turn:{row.message_id}",
            fingerprint=row.fingerprint,
        )
        if status == "retried":
            yield _retry_wait(thread, row, same)
        recovered = same is not None and status in ("lost", "released")


def _stream_status(row: Record, retried: bool) -> SpanStatus:
    if row.status == StreamStatus.STREAMING:
        return "running"
    if row.error is None:
        return "ok"
    return _CUT.get(row.end_reason) or ("retried" if retried else "failed")


def _retry_wait(thread: Record, row: Record, following: Record | None) -> Span:
    state: dict[str, Any] = {} if following is not None else load(thread.retry_state)
    until, ended = state.get("next_at"), _due(following) if following is not None else None
    if admissions.is_pause(thread.retry_state) and following is None:
        until, ended = None, state["since"]
    return Span(
        f"wait:{row.seq}",
        "wait",
        "waiting" if ended is None else "ok",
        **_times(row.ended_at, ended),
        attempt=row.attempt + 1,
        error=row.error,
        error_info=load_info(row.error, row.error_info),
        message_id=row.message_id,
        seq=row.seq,
        until=None if until is None else as_datetime(until),
        parent=f"turn:{row.message_id}",
    )


def _pauses(thread: Record, streams: Sequence[Record]) -> Iterator[Span]:
    """Yield the pauses before model steps, and the one in which the thread is."""
    for row in streams:
        if row.pause is not None:
            yield _pause(row.message_id, row.seq, load(row.pause), row.started_at)
    if admissions.is_pause(thread.retry_state):
        yield _pause(thread.reply_id, 0, load(thread.retry_state), None)


def _pause(message_id: str | None, seq: int, state: dict[str, Any], ended: float | None) -> Span:
    until = state["next_at"] if ended is None else None
    return Span(
        f"pause:{state['since']:.3f}",  # each look at a limit raises the fence, so the step has no number yet
        "pause",
        "waiting" if ended is None else "ok",
        **_times(state["since"], ended),
        name=state["kind"],
        error=state["error"],
        error_info=state["error_info"],
        message_id=message_id,
        seq=seq,
        until=None if until is None else as_datetime(until),
        parent=f"turn:{message_id}",
    )


def _due(row: Record) -> float:
    """Return when an attempt could begin: before the pause, if there was one."""
    return row.started_at if row.pause is None else load(row.pause)["since"]


# tool calls


def _call_spans(call: Record) -> list[Span]:
    """Return the spans of a call, in order: its approval, its attempts, and the waits between them."""
    earlier: list[dict[str, Any]] = load(call.attempts) or []
    spans = _approval(call, earlier)
    if call.attempt == 0 and call.status in (CallStatus.APPROVAL, CallStatus.DENIED):
        return spans
    ready = spans[0].ended_at.timestamp() if spans and spans[0].ended_at else call.created_at
    begun = earlier[0]["started_at"] if earlier else call.started_at
    if begun is None and call.ended_at is None:
        spans.append(_of_call(call, "queued", "waiting", ready, None))
    elif begun is not None and begun - ready >= _SHORTEST:
        spans.append(_of_call(call, "queued", "ok", ready, begun))
    return spans + _tool_spans(call, earlier)


def _approval(call: Record, earlier: list[dict[str, Any]]) -> list[Span]:
    if call.approval is None:
        return []
    answer = load(call.approval)
    status: SpanStatus = "waiting"
    ended = answer.get("at") or (earlier[0]["started_at"] if earlier else call.started_at) or call.ended_at
    if answer:
        status = "ok" if answer.get("approved") else "denied"
    elif ended is not None:
        status = "stopped"
    return [_of_call(call, "approval", status, call.created_at, ended, error=answer.get("reason"))]


def _tool_spans(call: Record, earlier: list[dict[str, Any]]) -> list[Span]:
    spans: list[Span] = []
    recovered = False
    for entry, following in pairwise([*earlier, None]):
        assert entry is not None
        lost = entry["end_reason"] == EndReason.PROCESS_ENDED
        status: SpanStatus = "lost" if lost else "retried"
        when = entry["started_at"], entry["ended_at"]
        run = {key: entry.get(key) for key in ("worker", "attempt", "error", "error_info", "end_reason")}
        spans.append(_of_call(call, "tool", status, *when, **run, recovered=recovered))
        if not lost:
            spans.append(_call_wait(call, entry, following))
        recovered = lost
    if not earlier or earlier[-1]["attempt"] != call.attempt:
        spans += _newest_attempt(call, recovered)
    return spans


def _newest_attempt(call: Record, recovered: bool) -> list[Span]:
    if call.status == CallStatus.PENDING or (call.approval == "{}" and call.attempt == 0):
        return []  # queued, or stopped before an approval
    status = _STATUS.get(call.status) or _ENDED.get(call.end_reason, "failed")
    began = call.created_at if call.started_at is None else call.started_at
    run = {key: getattr(call, key) for key in ("worker", "attempt", "error", "end_reason")}
    run["error_info"] = load_info(call.error, call.error_info)
    return [_of_call(call, "tool", status, began, call.ended_at, **run, recovered=recovered)]


def _call_wait(call: Record, entry: dict[str, Any], following: dict[str, Any] | None) -> Span:
    """Return the wait after a failed attempt, which the next attempt or a stop ends."""
    ended, status = call.ended_at, "waiting" if call.ended_at is None else "stopped"
    if following is not None:
        ended, status = following["started_at"], "ok"
    elif call.attempt > entry["attempt"]:
        ended, status = call.started_at, "ok"
    until = entry.get("next_at") if status == "waiting" else None
    more: dict[str, Any] = {"attempt": entry["attempt"] + 1, "error": entry["error"]}
    more["error_info"] = entry.get("error_info")
    more["until"] = None if until is None else as_datetime(until)
    return _of_call(call, "wait", status, entry["ended_at"], ended, **more)


def _of_call(
    call: Record, kind: SpanKind, status: Any, began: float, ended: float | None, **more: Any
) -> Span:
    number = f":{more['attempt']}" if "attempt" in more else ""
    return Span(
        f"{kind}:{call.id}{number}",
        kind,
        status,
        **_times(began, ended),
        name=call.name,
        message_id=call.message_id,
        seq=call.seq,
        tool_call_id=call.id,
        parent=f"model:{call.seq}",
        **more,
    )


def _times(began: float, ended: float | None) -> dict[str, Any]:
    """Return the start and end of a span from seconds since the epoch."""
    return {"started_at": as_datetime(began), "ended_at": None if ended is None else as_datetime(ended)}


# what waited for a worker


def _queued_steps(thread: Record, streams: Sequence[Record], calls: Sequence[Record]) -> Iterator[Span]:
    """Yield the waits for a worker between the last outcome of a step's calls and the next step."""
    outcomes: dict[int, float] = {}
    for call in calls:
        outcomes[call.seq] = max(outcomes.get(call.seq, 0), call.ended_at or 0)
    for row, following in pairwise(streams):
        ready = outcomes.get(row.seq)
        if ready and following.message_id == row.message_id and _due(following) - ready >= _SHORTEST:
            yield _queued(following.message_id, f"queued:{following.seq}", ready, _due(following))
    live = bool(streams) and streams[-1].status == StreamStatus.STREAMING
    if thread.status == "streaming" and not live and thread.retry_state is None:
        yield _queued(thread.reply_id, "queued:next", thread.updated_at, None)


def _queued_turns(thread: Record, streams: Sequence[Record], messages: Sequence[Record]) -> Iterator[Span]:
    """Yield the waits of messages for their turn to begin."""
    firsts: dict[str, float] = {}
    for row in streams:
        firsts.setdefault(row.message_id, _due(row))
    prompts = _prompts(thread, messages)
    # Messages answered by other replies, also by those of turns that are not read.
    answered = {prompt.id for reply, prompt in prompts.items() if reply not in firsts}
    for message_id, began in firsts.items():
        prompt = prompts.get(message_id)
        if prompt and prompt.id not in answered and began - prompt.created_at >= _SHORTEST:
            yield _queued(message_id, f"queued:{prompt.id}", prompt.created_at, began)
        if prompt:
            answered.add(prompt.id)
    held_from = None if thread.status in RUNNING else thread.updated_at
    for row in messages:
        if row.queued:
            yield _waiting(row, held_from)


def _waiting(row: Record, held_from: float | None) -> Span:
    """Return the wait of a queued message; it ended with the turn if that was stopped or has failed."""
    if held_from is None:
        return _queued(None, f"queued:{row.id}", row.created_at, None)
    times = _times(row.created_at, max(row.created_at, held_from))
    return Span(f"queued:{row.id}", "queued", "stopped", **times)


def _prompts(thread: Record, messages: Sequence[Record]) -> dict[str, Record]:
    """Return the users' messages by the replies to them."""
    users = {row.id: row for row in messages if row.role == "user" and not row.queued}
    found = {
        row.id: users[row.parent_id] for row in messages if row.parent_id in users and row.role == "assistant"
    }
    if thread.reply_id is not None and thread.reply_id not in found:  # it has no row yet
        before = [row for row in users.values() if row.branch == 0 and row.position < thread.reply_position]
        if before:
            found[thread.reply_id] = max(before, key=lambda row: row.position)
    return found


def _queued(message_id: str | None, span_id: str, began: float, ended: float | None) -> Span:
    status: SpanStatus = "waiting" if ended is None else "ok"
    parent = None if message_id is None else f"turn:{message_id}"
    return Span(span_id, "queued", status, **_times(began, ended), message_id=message_id, parent=parent)


# turns


def _turn_spans(thread: Record, spans: Sequence[Span]) -> list[Span]:
    members: dict[str, list[Span]] = {}
    for span in spans:
        if span.message_id is not None:
            members.setdefault(span.message_id, []).append(span)
    return [_turn(thread, message_id, own) for message_id, own in members.items()]


def _turn(thread: Record, message_id: str, own: Sequence[Span]) -> Span:
    models = [span for span in own if span.kind == "model"]
    current = message_id == thread.reply_id
    status = _AS_TURN.get(models[-1].status, models[-1].status) if models else "waiting"
    if current:
        status = "running" if thread.status in RUNNING else _ENDED_TURN[thread.status]
    elif any(span.status == "stopped" for span in own if span.parent == models[-1].id):
        status = "stopped"
    open_ = current and thread.status in RUNNING
    ends = [span.ended_at for span in own if span.ended_at is not None]
    tallies = sum((tally_of(span.usage) for span in models if span.usage), Tally())
    return Span(
        f"turn:{message_id}",
        "turn",
        status,
        min(span.started_at for span in own),
        None if open_ else max(ends, default=None),
        message_id=message_id,
        usage=tallies.to_dict() if tallies.metered or tallies.estimated else None,
    )
