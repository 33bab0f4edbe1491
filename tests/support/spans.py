"""Spans of a thread, with checks of the invariants of every timeline."""

from __future__ import annotations

from typing import Any

from agent_core import AgentApi
from agent_core.domain.spans import Span


async def spans(api: AgentApi, thread: Any, *kinds: str) -> list[Span]:
    """Return the spans of these kinds, after checking the invariants of the timeline."""
    found = await api.timeline(thread if isinstance(thread, str) else thread.id)
    ids = [span.id for span in found]
    assert len(set(ids)) == len(ids)
    assert [span.started_at for span in found] == sorted(span.started_at for span in found)
    for span in found:
        assert span.parent is None or span.parent in ids, span
        assert (span.ended_at is None) == (span.status in ("running", "waiting")), span
        assert span.seconds is None or span.seconds >= 0, span
        assert span.to_dict()["started_at"] == span.started_at.isoformat()
    return [span for span in found if not kinds or span.kind in kinds]


def told(found: list[Span]) -> list[tuple[str, str, int, bool]]:
    """Return kind, status and attempt of each span, and whether another process took over."""
    return [(span.kind, span.status, span.attempt, span.recovered) for span in found]
