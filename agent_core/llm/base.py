"""What a model is to the rest of the library: a request goes in, events come out.

An adapter turns one request into an async iterator of events and every failure into a `ModelError`.
It neither retries nor stores anything. Closing the iterator (`aclose`, or cancelling the task that
reads it) must end the provider's stream at once, so that a stopped thread costs nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model request, in the provider's form.

    Attributes:
        messages: dicts with role, content, tool_calls, tool_call_id; the system prompt is the first.
        tools: OpenAI function tools, as `Tool.schema()` gives them.
        options: what else the model is told, such as temperature; it wins over the adapter's own.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A fragment of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A fragment of what the model thought before it answered."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of a tool call.

    `index` tells the calls of one answer apart; id and name stand in the first fragment of a call,
    `arguments` is the next piece of its JSON text.
    """

    index: int
    id: str | None
    name: str | None
    arguments: str


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request used, in tokens; `cost` in US dollars, None where no price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """The provider says that its answer is whole: stop, tool-calls, length, content-filter, …"""

    reason: str


ModelEvent = TextDelta | ReasoningDelta | ToolCallDelta | Usage | Finish


class ModelAdapter(Protocol):
    """A model that the loop can ask."""

    @property
    def name(self) -> str:
        """What people call the model, such as "openai/gpt-5-mini"."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield the answer's events as they arrive; the last ones are `Usage` and `Finish`.

        Raises:
            ModelError: whatever went wrong, in the provider's own words where it had some. A stream
                that ends without a `Finish` is truncated; the loop says so.
        """
        ...
