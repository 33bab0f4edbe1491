"""What stands at the end of a step: the sources it has drawn on, and that it was cut short. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agent_core.domain.messages import Chunk
from agent_core.domain.model_adapter import Finish
from agent_core.domain.validation import clean_text
from agent_core.errors import ModelError
from agent_core.support.ids import new_id

FINISH = "data-finish"
"""The part at the end of an answer that its provider did not bring to its end; its data: the `reason`."""

SILENT = "silent"
"""The reason of an answer that ends without a word right after a tool's outcome: nothing more to say."""

_CUT_SHORT = ("length", "content-filter", "model-context-window-exceeded")


def cited(sources: Mapping[str, str]) -> list[Chunk]:
    """Return the chunks of sources, titles by URL; only those on the web are any."""
    return [
        {"type": "source-url", "sourceId": new_id("source"), "url": clean_text(url)}
        | ({"title": clean_text(title)} if title else {})
        for url, title in sources.items()
        if url.lower().startswith(("https://", "http://"))
    ]


def cut_short(reason: str | None, *, silent: bool = False) -> list[Chunk]:
    """Return the chunk that says so, if a finish reason means that the answer ended before its end.

    With `silent`, an answer that ended by itself has one, too.
    """
    if reason in _CUT_SHORT:
        return [{"type": FINISH, "data": {"reason": reason}}]
    return [{"type": FINISH, "data": {"reason": SILENT}}] if silent and reason != "tool-calls" else []


def no_answer(finish: Finish) -> ModelError:
    """Return the error for an answer that ended without one, in the provider's words for its end."""
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
