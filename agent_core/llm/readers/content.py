"""Read the content of deltas: text, or a list of parts of several kinds."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

from agent_core.domain.model_adapter import ModelEvent, ReasoningDelta, TextDelta
from agent_core.errors import ModelError


class ContentKind(Enum):
    """Kind of content in a delta."""

    TEXT = "text"
    REASONING = "reasoning"


_KINDS = {
    "text": ContentKind.TEXT,
    "output_text": ContentKind.TEXT,
    "refusal": ContentKind.TEXT,
    "thinking": ContentKind.REASONING,
    "reasoning": ContentKind.REASONING,
    "reasoning_text": ContentKind.REASONING,
    "reasoning_content": ContentKind.REASONING,
    "summary": ContentKind.REASONING,
    "summary_text": ContentKind.REASONING,
}
"""Kinds by type of part, as named by OpenAI, Mistral and Anthropic."""

_DEPTH = 8


def deltas_of(content: object, kind: ContentKind = ContentKind.TEXT) -> list[ModelEvent]:
    """Return the texts in a content as events; see `pieces_of`."""
    return [
        ReasoningDelta(text) if kind is ContentKind.REASONING else TextDelta(text)
        for kind, text in pieces_of(content, kind)
    ]


def pieces_of(content: object, kind: ContentKind = ContentKind.TEXT) -> list[tuple[ContentKind, str]]:
    """Return the texts in a content, each with its kind; parts of unknown types are ignored.

    Args:
        content: a str, a part such as {"type": "thinking", "thinking": [{"type": "text", …}]}, or a list.
        kind: kind of plain text.

    Raises:
        ModelError: the content is neither text nor parts.
    """
    return _pieces(content, kind, _DEPTH)


def _pieces(content: object, kind: ContentKind, depth: int) -> list[tuple[ContentKind, str]]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [(kind, content)]
    if depth == 0:
        return []
    if isinstance(content, list):
        parts = cast("list[object]", content)
        return [piece for part in parts for piece in _pieces(part, kind, depth - 1)]
    if isinstance(content, Mapping):
        return _part(cast("Mapping[str, Any]", content), kind, depth - 1)
    raise ModelError(
        f"The provider sent content that is neither text nor a list of parts: {content!r:.200}",
        kind="invalid_request",
    )


def _part(part: Mapping[str, Any], kind: ContentKind, depth: int) -> list[tuple[ContentKind, str]]:
    """Return the texts of one part, which may be nested."""
    name = str(part.get("type") or "text")
    if name not in _KINDS:
        return []
    if _KINDS[name] is ContentKind.REASONING:
        kind = ContentKind.REASONING  # text inside of reasoning is reasoning
    key = next(
        (key for key in (name, "text", "thinking", "content", "summary", "value") if part.get(key)), "text"
    )
    return _pieces(part.get(key), kind, depth)
