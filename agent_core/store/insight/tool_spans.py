"""The spans of one tool call: its approval, its attempts, and what lay between them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from agent_core.domain.end_reasons import EndReason
from agent_core.domain.spans import Span, SpanKind, SpanStatus
from agent_core.domain.states import CallStatus
from agent_core.store.database.columns import load, load_info
from agent_core.support.clock import as_datetime

Record = Any
"""A row with the columns that its reader selected."""

SHORTEST = 0.1
"""Seconds; what waited less for a worker has no "queued" span of its own."""

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


def call_spans(call: Record) -> list[Span]:
    """Return what became of one call, in order; `call` has the columns that `timeline` reads."""
    earlier: list[dict[str, Any]] = load(call.attempts) or []
    spans = _approval(call, earlier)
    if call.attempt == 0 and call.status in (CallStatus.APPROVAL, CallStatus.DENIED):
        return spans
    ready = spans[0].ended_at.timestamp() if spans and spans[0].ended_at else call.created_at
    begun = earlier[0]["started_at"] if earlier else call.started_at
    if begun is None and call.ended_at is None:
        spans.append(_of_call(call, "queued", "waiting", ready, None))
    elif begun is not None and begun - ready >= SHORTEST:
        spans.append(_of_call(call, "queued", "ok", ready, begun))
    return spans + _attempts(call, earlier)


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


def _attempts(call: Record, earlier: list[dict[str, Any]]) -> list[Span]:
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
        spans += _newest(call, recovered)
    return spans


def _newest(call: Record, recovered: bool) -> list[Span]:
    if call.status == CallStatus.PENDING or (call.approval == "{}" and call.attempt == 0):
        return []  # it waits for a worker, or was stopped before a person had answered
    status = _STATUS.get(call.status) or _ENDED.get(call.end_reason, "failed")
    began = call.created_at if call.started_at is None else call.started_at
    run = {key: getattr(call, key) for key in ("worker", "attempt", "error", "end_reason")}
    run["error_info"] = load_info(call.error, call.error_info)
    return [_of_call(call, "tool", status, began, call.ended_at, **run, recovered=recovered)]


def _call_wait(call: Record, entry: dict[str, Any], following: dict[str, Any] | None) -> Span:
    """Return the wait after a failed attempt: for the next one, or for a stop that came first."""
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
        **times(began, ended),
        name=call.name,
        message_id=call.message_id,
        seq=call.seq,
        tool_call_id=call.id,
        parent=f"model:{call.seq}",
        **more,
    )


def times(began: float, ended: float | None) -> dict[str, Any]:
    """Return the moments of a span from seconds since the epoch."""
    return {"started_at": as_datetime(began), "ended_at": None if ended is None else as_datetime(ended)}
