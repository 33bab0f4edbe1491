"""From the spans of a thread's timeline to the rows that the drawer draws. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent_core.domain.activity import Durability
from agent_core.domain.spans import Span
from chat_app.plain_text import clean_text, shorten

MAX_ROWS = 150
"""How many rows of one turn are drawn, the newest; a turn may have fifty steps and their tools."""
_MAX_ERROR = 400
"""How much of an error is shown, in characters."""


@dataclass(frozen=True)
class SpanView:
    """A row of the waterfall.

    Attributes:
        kind: model, tool, retry (a wait for the next attempt), person (a call waited for a yes),
            outside (a tool waited for an outcome from outside), turn (a message waited for its turn),
            worker (work waited for a free worker) or recovery (one process ended, another went on).
        start, end: in seconds since the epoch; `end` is 0 while it lasts.
        until: when a wait will end, or 0.
        process: who ran it; of a recovery who took over, and `before` whom it took over from.
        deep: whether it belongs to the row before it.
        cost: in US dollars; -1 where it is not known.
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


@dataclass(frozen=True)
class TurnView:
    """One turn: the first words of what it answers, its time and cost in all, and its rows as they began."""

    id: str = ""
    prompt: str = ""
    status: str = ""
    start: float = 0
    end: float = 0
    tokens: int = 0
    cost: float = -1
    hidden: int = 0
    rows: list[SpanView] = field(default_factory=list)


@dataclass(frozen=True)
class HeldView:
    """How the thread is held at this moment.

    Attributes:
        owner: the process that works on it; "" if none does.
        beat: its last sign of life, in seconds since the epoch; 0 if nobody works on it.
        committed, seq: the newest model step that is committed whole, and the newest that was begun.
        running, depth: how much work runs in the answering process, and how much waits for one.
        server: the process that answered.
    """

    owner: str = ""
    beat: float = 0
    committed: int = 0
    seq: int = 0
    waiting: int = 0
    running: int = 0
    depth: int = 0
    server: str = ""


def held_view(found: Durability, running: int, depth: int) -> HeldView:
    """Return how a thread is held; of several leases the newest sign of life counts."""
    newest = max(found.leases, key=lambda lease: lease.heartbeat_at, default=None)
    return HeldView(
        owner=newest.worker if newest else "",
        beat=round(newest.heartbeat_at.timestamp(), 3) if newest else 0,
        committed=found.committed_seq,
        seq=found.seq,
        waiting=found.waiting,
        running=running,
        depth=depth,
        server=found.worker,
    )


def turn_views(spans: Iterable[Span], from_outside: Collection[str] = ()) -> list[TurnView]:
    """Return the turns, the newest first.

    Args:
        spans: as `api.timeline` returns them.
        from_outside: the tools whose outcome comes from a person or another system.
    """
    turns: dict[str, list[SpanView]] = {}
    heads: list[Span] = []
    before: dict[str, Span] = {}
    for span in spans:
        if span.kind == "turn":
            heads.append(span)
            continue
        rows = turns.setdefault(span.message_id or "", [])
        lost = before.get(_line(span))
        if span.recovered and lost is not None:
            rows.append(_recovery(lost, span))
        if span.attempt and span.kind in ("model", "tool"):
            before[_line(span)] = span
        rows.append(_row(span, from_outside))
    waiting = [row for row in turns.get("", []) if not row.end]
    found = [_turn(head, turns.get(head.message_id or "", [])) for head in reversed(heads)]
    if waiting and found:  # messages that wait for the turn under way to end
        newest = found[0]
        found[0] = TurnView(**{**vars(newest), "rows": [*newest.rows, *waiting]})
    return found


def with_labels(
    turns: Iterable[TurnView], prompts: Mapping[str, str], models: Mapping[str, str]
) -> list[TurnView]:
    """Return the turns with what they answer, by their ids, and names for rows that have none, by theirs."""
    return [
        replace(
            turn,
            prompt=prompts.get(turn.id, ""),
            rows=[row if row.name else replace(row, name=models.get(row.id, "")) for row in turn.rows],
        )
        for turn in turns
    ]


def _line(span: Span) -> str:
    """Name what a span is an attempt at."""
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
    )


def _row(span: Span, from_outside: Collection[str]) -> SpanView:
    usage = span.usage or {}
    return SpanView(
        id=span.id,
        kind=_kind(span, from_outside),
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
    )


def _kind(span: Span, from_outside: Collection[str]) -> str:
    if span.kind == "tool" and span.name in from_outside:
        return "outside"
    if span.kind == "queued":  # a step and a call have a number; a message that waits has none yet
        return "worker" if span.tool_call_id or _is_step(span.id) else "turn"
    return {"wait": "retry", "approval": "person"}.get(span.kind, span.kind)


def _is_step(span_id: str) -> bool:
    rest = span_id.removeprefix("queued:")
    return rest == "next" or rest.isdecimal()


def _recovery(lost: Span, heir: Span) -> SpanView:
    """Return the row between an attempt that was cut and the one that took it up."""
    began = lost.ended_at or heir.started_at
    return SpanView(
        id=f"recovery:{heir.id}",
        kind="recovery",
        status=lost.status,
        start=began.timestamp(),
        end=max(began, heir.started_at).timestamp(),
        process=heir.worker or "",
        before=lost.worker or "",
        deep=heir.tool_call_id is not None,
    )


def _end(span: Span) -> float:
    return span.ended_at.timestamp() if span.ended_at else 0


def _cost(cost: float | None) -> float:
    return -1 if cost is None else float(cost)
