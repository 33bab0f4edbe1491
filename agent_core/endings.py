"""What stands at the end of a step: the sources it has drawn on, and that it was cut short. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping

from agent_core.gate import clean_text
from agent_core.ids import new_id
from agent_core.messages import Chunk

FINISH = "data-finish"
"""The part at the end of an answer that its provider did not bring to its end; its data: the `reason`."""

_CUT_SHORT = ("length", "content-filter", "model-context-window-exceeded")


def cited(sources: Mapping[str, str]) -> list[Chunk]:
    """Return the chunks of sources, titles by URL; only those on the web are any."""
    return [
        {"type": "source-url", "sourceId": new_id("source"), "url": clean_text(url)}
        | ({"title": clean_text(title)} if title else {})
        for url, title in sources.items()
        if url.lower().startswith(("https://", "http://"))
    ]


def cut_short(reason: str | None) -> list[Chunk]:
    """Return the chunk that says so, if a finish reason means that the answer ended before its end."""
    return [{"type": FINISH, "data": {"reason": reason}}] if reason in _CUT_SHORT else []
