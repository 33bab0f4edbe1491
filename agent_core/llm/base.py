"""What a model is to the rest of the library: a request goes in, events come out.

An adapter turns one request into an async iterator of events and every failure into a `ModelError`.
It neither retries nor stores anything. Closing the iterator (`aclose`, or cancelling the task that
reads it) must end the provider's stream at once, so that a stopped thread costs nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
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
class Source:
    """A page on the web that the model has drawn on, as providers that search by themselves name it."""

    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one request used, in tokens; `cost` in US dollars, None where no price is known."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Return both requests together; the cost is unknown if either is."""
        known = self.cost is not None and other.cost is not None
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.total_tokens + other.total_tokens,
            (self.cost or 0.0) + (other.cost or 0.0) if known else None,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True)
class Finish:
    """The provider says that its answer is whole: stop, tool-calls, length, content-filter, …"""

    reason: str


ModelEvent = TextDelta | ReasoningDelta | ToolCallDelta | Source | Usage | Finish


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


class SizedModel(ModelAdapter, Protocol):
    """A model that knows how much it takes. An adapter may have these methods; it need not.

    `agent_core.context` asks them. A model without `context_window` has no limit that anybody knows of;
    for one without `count_tokens` tokens are estimated.
    """

    async def context_window(self, options: Mapping[str, Any]) -> int | None:
        """Return the tokens a request with these options may have, room for the answer left.

        None: it is not known. It is asked before each request, so it should be quick.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has; called in a thread, after `context_window`."""
        ...
