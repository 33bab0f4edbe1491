"""Convert the spans of a thread's timeline to the rows of the drawer. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent_core.domain.durability import Durability
from agent_core.domain.spans import Span
from chat_app.plain_text import clean_text, shorten

MAX_ROWS = 150
"""Maximum number of rows of a turn, the newest ones; a turn may have fifty steps with their tool calls."""
_MAX_ERROR = 400
"""Length to which an error is cut, in characters."""


@dataclass(frozen=True)
class SpanView:
    """Row of the waterfall.

    Attributes:
        kind: model, tool, retry (wait for the next attempt), person (wait of a tool call for an approval),
            outside (wait of an async tool for its outcome), turn (wait of a message for its turn),
            worker (wait for a free worker), pause (by a limit or a budget), recovery (a process took over from one
            that died) or agent (the agent of the next step is not as it was in the step before).
        start, end: in seconds since the epoch; `end` is 0 for a span that has not ended.
        until: end of a wait, in seconds since the epoch, or 0.
        process: the process that ran the span; of a recovery, the one that took over, while `before` is
            the one that died.
        deep: whether the row is indented below the previous one.
        cost: in US dollars; -1 if unknown.
        estimated: whether tokens and cost are estimated, because the request ended early.
    """

    id: str
    kind: str
    status: str
    start: float
    end: float = 0
    until: float = 0
    name: str = ""
    attempt: int = 0
    process: str = ""
    before: str = ""
    deep: bool = False
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = -1
    error: str = ""
    error_info: dict[str, Any] = field(default_factory=dict)
    estimated: bool = False


@dataclass(frozen=True)
class TurnView:
    """Turn of the waterfall: the first words of its prompt, its total time and cost, its rows by start."""

    id: str = ""
    prompt: str = ""
    status: str = ""
    start: float = 0
    end: float = 0
    tokens: int = 0
    cost: float = -1
    hidden: int = 0
    rows: list[SpanView] = field(default_factory=list)
    estimated: bool = False


@dataclass(frozen=True)
class DurabilityView:
    """Lease of a thread and the work queue at this moment.

    Attributes:
        owner: the process that holds the lease; "" if none does.
        beat: its last heartbeat, in seconds since the epoch; 0 if no process holds the lease.
        committed, seq: the newest committed model step, and the newest started one.
        running, depth: amount of work that runs in this process, and that waits for a worker.
        server: the process that read these values.
    """

    owner: str = ""
    beat: float = 0
    committed: int = 0
    seq: int = 0
    waiting: int = 0
    running: int = 0
    depth: int = 0
    server: str = ""


def durability_view(found: Durability, running: int, depth: int) -> DurabilityView:
    """Return the view of a thread's lease; of several leases, the one with the newest heartbeat counts."""
    newest = max(found.leases, key=lambda lease: lease.heartbeat_at, default=None)
    return DurabilityView(
        owner=newest.worker if newest else "",
        beat=round(newest.heartbeat_at.timestamp(), 3) if newest else 0,
        committed=found.committed_seq,
        seq=found.seq,
        waiting=found.waiting,
        running=running,
        depth=depth,
        server=found.worker,
    )


def turn_views(spans: Iterable[Span], async_tools: Collection[str] = ()) -> list[TurnView]:
    """Return the turns, newest first.

    Args:
        spans: as `api.timeline` returns them.
        async_tools: the names of the async tools.
    """
    turns: dict[str, list[SpanView]] = {}
    heads: list[Span] = []
    before: dict[str, Span] = {}
    fingerprint: str | None = None
    for span in spans:
        if span.kind == "turn":
            heads.append(span)
            continue
        rows = turns.setdefault(span.message_id or "", [])
        lost = before.get(_attempt_key(span))
        if span.recovered and lost is not None:
            rows.append(_recovery(lost, span))
        if span.fingerprint and fingerprint not in (None, span.fingerprint):
            rows.append(_agent_change(span))
        fingerprint = span.fingerprint or fingerprint
        if span.attempt and span.kind in ("model", "tool"):
            before[_attempt_key(span)] = span
        rows.append(_row(span, async_tools))
    waiting = [row for row in turns.get("", []) if not row.end or row.kind == "turn"]
    found = [_turn(head, turns.get(head.message_id or "", [])) for head in reversed(heads)]
    if waiting and found:  # queued messages belong to no turn yet: show them with the turn under way
        newest = found[0]
        found[0] = TurnView(**{**vars(newest), "rows": [*newest.rows, *waiting]})
    return found


def with_labels(
    turns: Iterable[TurnView], prompts: Mapping[str, str], models: Mapping[str, str]
) -> list[TurnView]:
    """Return the turns with their prompts, by turn id, and model names for unnamed rows, by row id."""
    return [
        replace(
            turn,
            prompt=prompts.get(turn.id, ""),
            rows=[row if row.name else replace(row, name=models.get(row.id, "")) for row in turn.rows],
        )
        for turn in turns
    ]


def _attempt_key(span: Span) -> str:
    """Return the key that all attempts at the same tool call or model step share."""
    return f"tool:{span.tool_call_id}" if span.tool_call_id else f"model:{span.message_id}"


def _turn(head: Span, rows: list[SpanView]) -> TurnView:
    usage = head.usage or {}
    return TurnView(
        id=head.message_id or "",
        status=head.status,
        start=head.started_at.timestamp(),
        end=_end(head),
        tokens=int(usage.get("total_tokens") or 0),
        cost=_cost(usage.get("cost")),
        hidden=max(0, len(rows) - MAX_ROWS),
        rows=rows[-MAX_ROWS:],
        estimated=bool(usage.get("estimated")),
    )


def _row(span: Span, async_tools: Collection[str]) -> SpanView:
    usage = span.usage or {}
    return SpanView(
        id=span.id,
        kind=_kind(span, async_tools),
        status=span.status,
        start=span.started_at.timestamp(),
        end=_end(span),
        until=span.until.timestamp() if span.until else 0,
        name=shorten(clean_text(span.name or ""), 80),
        attempt=span.attempt,
        process=span.worker or "",
        deep=span.tool_call_id is not None,
        tokens_in=int(usage.get("input_tokens") or 0),
        tokens_out=int(usage.get("output_tokens") or 0),
        cost=_cost(usage.get("cost")),
        error=shorten(clean_text(span.error or ""), _MAX_ERROR),
        error_info=(span.error_info or {}) if len(span.error or "") <= _MAX_ERROR else {},
        estimated=bool(usage.get("estimated")),
    )


def _kind(span: Span, async_tools: Collection[str]) -> str:
    if span.kind == "tool" and span.name in async_tools:
        return "outside"
    if span.kind == "queued":  # a queued step or call has a number; a queued message has none yet
        return "worker" if span.tool_call_id or _is_step(span.id) else "turn"
    return {"wait": "retry", "approval": "person"}.get(span.kind, span.kind)


def _is_step(span_id: str) -> bool:
    rest = span_id.removeprefix("queued:")
    return rest == "next" or rest.isdecimal()


def _recovery(lost: Span, successor: Span) -> SpanView:
    """Return the row between an interrupted attempt and the one that recovered it."""
    began = lost.ended_at or successor.started_at
    return SpanView(
        id=f"recovery:{successor.id}",
        kind="recovery",
        status=lost.status,
        start=began.timestamp(),
        end=max(began, successor.started_at).timestamp(),
        process=successor.worker or "",
        before=lost.worker or "",
        deep=successor.tool_call_id is not None,
    )


def _agent_change(successor: Span) -> SpanView:
    """Return the row before the first step of a changed agent."""
    at = successor.started_at.timestamp()
    return SpanView(id=f"agent:{successor.id}", kind="agent", status="ok", start=at, end=at)


def _end(span: Span) -> float:
    return span.ended_at.timestamp() if span.ended_at else 0


def _cost(cost: float | None) -> float:
    return -1 if cost is None else float(cost)
