"""Build the final parts of a step: its sources, and a note if the answer was cut short. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_core.domain.messages import Chunk
from agent_core.domain.model_adapter import Finish
from agent_core.domain.validation import clean_text
from agent_core.errors import ModelError
from agent_core.support.ids import new_id

FINISH = "data-finish"
"""Type of the last part of an incomplete answer; its data has the `reason`."""

SILENT = "silent"
"""Reason of an empty answer right after a tool's outcome: the model had nothing to add."""

_CUT_SHORT = ("length", "content-filter", "model-context-window-exceeded")


def cited(sources: Mapping[str, str]) -> list[Chunk]:
    """Return the chunks of sources, given as titles by URL; only http(s) URLs count."""
    return [
        {"type": "source-url", "sourceId": new_id("source"), "url": clean_text(url)}
        | ({"title": clean_text(title)} if title else {})
        for url, title in sources.items()
        if url.lower().startswith(("https://", "http://"))
    ]


def cut_short(reason: str | None, *, silent: bool = False) -> list[Chunk]:
    """Return a note as a list of chunks if a finish reason means that the answer is incomplete, else [].

    With `silent`, an empty answer that ended normally gets a note, too.
    """
    if reason in _CUT_SHORT:
        return [{"type": FINISH, "data": {"reason": reason}}]
    return [{"type": FINISH, "data": {"reason": SILENT}}] if silent and reason != "tool-calls" else []


def no_answer(finish: Finish) -> ModelError:
    """Return the error for an empty answer, with the provider's finish reason and message."""
    words = [str(fields["finish_reason"]) for fields in _about(finish) if fields.get("finish_reason")]
    reason = words[0] if words else finish.reason
    if finish.message:
        sentence = f"The provider gave no answer ({reason}): {finish.message}"
    elif finish.reason == "tool-calls":
        sentence = f"The provider ended its answer with {reason!r}, and there is no call in it."
    else:
        sentence = f"The provider gave no answer; it ended with {reason!r}."
    return ModelError(sentence, kind="truncated", retryable=True)


def _about(finish: Finish) -> list[Mapping[str, Any]]:
    return [fields for fields in (finish.metadata or {}).values() if isinstance(fields, Mapping)]
