"""Define the base of the readers of answers, and what they share: events from JSON, finish reasons."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, cast

from agent_core.domain.model_adapter import (
    Finish,
    Metadata,
    ModelEvent,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
)
from agent_core.errors import ModelError
from agent_core.support.logs import get_logger
from agent_core.support.plain_json import Json, fields_of, is_finite, items_of

_log = get_logger(__name__)

FAILED = frozenset(
    {
        *("abort", "network-error", "engine-overloaded", "insufficient-system-resource"),
        *("malformed-function-call", "malformed-response", "unexpected-tool-call", "too-many-tool-calls"),
        *("missing-thought-signature", "finish-reason-unspecified"),
    }
)
"""Finish reasons that mean a failure of the answer; litellm maps them to "stop"."""

PAUSED = "pause-turn"
"""Finish reason of an answer that paused within the provider's own tools; a new request continues it.
https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons#pause-turn"""

_KEPT_REASONS = FAILED | {PAUSED, "model-context-window-exceeded"}

_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")
_MOST = 2**53  # a number up to which a float is exact
_MAX_DEPTH = 8  # nesting of parts in a content
_REASONING = ("thinking", "reasoning", "reasoning_text", "reasoning_content", "summary", "summary_text")
_PARTS: dict[str, type[TextDelta] | type[ReasoningDelta]] = {
    **dict.fromkeys(("text", "output_text", "input_text", "refusal"), TextDelta),
    **dict.fromkeys(_REASONING, ReasoningDelta),
}
"""Events by type of part, in lower case, as named by OpenAI, Mistral, Anthropic and gateways between them."""


class AnswerReader:
    """Base of readers, which turn the JSON values of an answer into events.

    Args:
        decoder: litellm's decoder of the answer, for names that litellm has changed.

    Attributes:
        finish: the provider's newest finish reason.
        message: the provider's explanation of the finish, if there is one.
        usages: all reports of usage; some providers send one with each chunk.
        about: metadata of the answer: its id, the model that served it, …
    """

    KEYS: ClassVar[frozenset[str]] = frozenset()
    """Keys of which each value of this format has at least one."""

    COUNTS: ClassVar[tuple[str, str]] = ("", "")
    """Keys of the counts of input and of output tokens in a report of usage."""

    def __init__(self, decoder: Any = None) -> None:
        self.finish: str | None = None
        self.message = ""
        self.usages: list[Json] = []
        self.about: Json = {}
        self._choice: int | None = None  # the index of the answer that is read

    def knows(self, value: Json) -> bool:
        """Return whether a value can be of this format."""
        return not self.KEYS.isdisjoint(value)

    def chosen(self, answers: Sequence[object], said: Collection[str]) -> Json | None:
        """Return the one of several answers that is read: the first to say something, by its index.

        Args:
            answers: those of one value, which may lack it.
            said: the keys of what an answer says.
        """
        listed = [fields_of(each) for each in answers]
        fields = min(listed, key=_place)
        if self._choice is None:
            self._choice = _place(fields) if any(fields.get(key) for key in said) else None
            return fields
        return next((each for each in listed if _place(each) == self._choice), None)

    def read(self, value: Json, /) -> list[ModelEvent]:
        """Return the events of one value."""
        raise NotImplementedError

    def end(self) -> list[ModelEvent]:
        """Return the events at the end of the answer."""
        return []

    def count(self, usage: object) -> None:
        """Add a report of usage; what is no count in it is left out."""
        if isinstance(usage, dict):
            self.usages.append(cast(Json, _counted(cast(object, usage))))

    def usage(self, litellm: Any) -> Any:
        """Return the usage as litellm's object, counted like litellm for this format; None if none was reported."""
        newest = {key: value for usage in self.usages for key, value in usage.items() if value is not None}
        try:
            return self._usage(litellm, newest) if newest else None
        except Exception as error:  # it is litellm's own, and an answer is worth more than its counts
            _log.warning("The provider's report of usage cannot be read: %r", error)
            return None

    def _usage(self, litellm: Any, newest: Json) -> Any:
        read, written = (newest.get(key) or 0 for key in self.COUNTS)
        return litellm.Usage(prompt_tokens=read, completion_tokens=written, total_tokens=read + written)

    def to_finish(self, litellm: Any, answer: Any, reason: str | None) -> Finish | None:
        """Return the finish of litellm's `answer` with the provider's metadata; None without a reason."""
        if not reason:
            return None
        provider = str(getattr(answer, "custom_llm_provider", None) or "provider")
        metadata = {provider: {**self.about, "finish_reason": reason}}
        return Finish(_finish_reason(litellm, reason), self.message, metadata)


def index_of(value: object) -> int | None:
    """Return the index of a call or an answer; some servers send it as text."""
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        return None
    return int(value)


def _place(answer: Json) -> int:
    return index_of(answer.get("index")) or 0


def _counted(value: object) -> object:
    """Return a report of usage with its numbers as numbers, 0 or more; some servers send them as text."""
    if isinstance(value, dict):
        return {key: _counted(inner) for key, inner in fields_of(cast(object, value)).items()}
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not 0 <= value < _MOST:
        return None
    return int(value) if value == int(value) else value


def _finish_reason(litellm: Any, reason: str) -> str:
    """Return a provider's finish reason by its litellm name, with dashes; some reasons unchanged."""
    plain = reason.strip().lower().replace("_", "-")
    if plain in _KEPT_REASONS:
        return plain
    named: str | None = litellm.types.utils.StreamingChoices(finish_reason=reason).finish_reason
    return (named or plain).replace("_", "-")


def deltas_of(
    content: object, kind: type[TextDelta] | type[ReasoningDelta] = TextDelta, depth: int = _MAX_DEPTH
) -> list[ModelEvent]:
    """Return the texts in a content as events; parts of unknown types are ignored.

    Args:
        content: a str, a part such as {"type": "thinking", "thinking": [{"type": "text", …}]}, or a list.
        kind: the event of plain text.
        depth: the nesting that is read.

    Raises:
        ModelError: the content is neither text nor parts.
    """
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [kind(content)]
    if depth == 0:
        return []
    if isinstance(content, list):
        return [
            event for part in items_of(cast(object, content)) for event in deltas_of(part, kind, depth - 1)
        ]
    if isinstance(content, dict):
        return _part(fields_of(cast(object, content)), kind, depth - 1)
    raise ModelError(
        f"The provider sent content that is neither text nor a list of parts: {content!r:.200}",
        kind="invalid_request",
    )


def _part(part: Json, kind: type[TextDelta] | type[ReasoningDelta], depth: int) -> list[ModelEvent]:
    """Return the texts of one part, which may be nested."""
    name = str(part.get("type") or "text").lower().removesuffix("_delta")
    if name not in _PARTS:
        return []
    if _PARTS[name] is ReasoningDelta or part.get("thought") is True:
        kind = ReasoningDelta  # text inside of reasoning is reasoning
    keys = (name, "text", "thinking", "content", "summary", "value")
    return deltas_of(part.get(next((key for key in keys if part.get(key)), "text")), kind, depth)


def texts_of(content: object) -> list[str]:
    """Return the texts in a content, of text and of reasoning; see `deltas_of`."""
    return [event.text for event in deltas_of(content) if isinstance(event, TextDelta | ReasoningDelta)]


def call_delta(
    index: int | None, id: object, name: object, arguments: object = "", metadata: Metadata | None = None
) -> ToolCallDelta:
    """Return a fragment of a tool call; an empty id or name is None, and arguments may be an object."""
    named = name if isinstance(name, str) and name else None
    return ToolCallDelta(index, str(id) if id else None, named, arguments_text(arguments), metadata)


def arguments_text(value: object) -> str:
    """Return arguments as a fragment of JSON text; some providers send an object."""
    if isinstance(value, str):
        return value
    if not value:
        return ""  # an empty object precedes arguments that are streamed later
    return json.dumps(value, ensure_ascii=False)


def sources_of(pages: object, address: str = "url") -> list[ModelEvent]:
    """Return the web pages in a list of JSON objects; `address` is the key of their URLs."""
    found: list[ModelEvent] = []
    for page in map(fields_of, items_of(pages)):
        url, title = page.get(address), page.get("title")
        if isinstance(url, str) and url:
            found.append(Source(url, title if isinstance(title, str) else ""))
    return found
