"""What a model is to the rest of the library: a request goes in, events come out.

An adapter turns one request into an async iterator of events and every failure into a `ModelError`.
It neither retries nor stores anything. Closing the iterator (`aclose`, or cancelling the task that
reads it) must end the provider's stream at once, so that a stopped thread costs nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model request, in the provider's form.

    Attributes:
        messages: dicts with role, content, tool_calls, tool_call_id; the system prompt is the first.
        tools: OpenAI function tools, as `Tool.schema()` gives them.
        options: what else the model is told, such as temperature; it wins over the adapter's own.
        provider_tools: tools that the provider runs itself, in its own form.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    provider_tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


Metadata = Mapping[str, Any]
"""Plain JSON that a provider wants to see again, by provider: {"anthropic": {"signature": "…"}}.

It is the AI SDK's `providerMetadata` (https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message). It is
stored with the part that the event belongs to once that part is whole, shown to nobody, and handed back
in the requests of the same model only; see `agent_core.domain.signatures`. Events compare without it.
"""


def merge_metadata(known: dict[str, Any], metadata: Metadata) -> None:
    """Take metadata into what is known already; objects are joined, and of all else the newest counts."""
    for provider, fields in metadata.items():
        before = known.get(provider)
        if isinstance(before, dict) and isinstance(fields, dict):
            joined = dict(cast("dict[str, Any]", before))
            merge_metadata(joined, cast("dict[str, Any]", fields))
            known[provider] = joined
        else:
            known[provider] = fields


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A fragment of the answer. An empty text with metadata ends the part; see `ReasoningDelta`."""

    text: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A fragment of what the model thought before it answered.

    An empty text with metadata ends the part of reasoning, or is one of its own where none is open;
    reasoning that follows is the next part.
    """

    text: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of a tool call.

    Attributes:
        index: tells the calls of one answer apart; None: the provider numbers none.
        id: of the call; in its first fragment.
        name: of the tool; in the call's first fragment.
        arguments: the next piece of the arguments' JSON text.
        metadata: of the call; may come with any of its fragments.
    """

    index: int | None
    id: str | None
    name: str | None
    arguments: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HostedCall:
    """A call of a tool that the provider runs itself, such as its web search; nothing is run here.

    Attributes:
        id: of the call; its `HostedResult` has the same.
        name: of the tool.
        input: its arguments as plain JSON.
        metadata: what the provider wants to see again of the call.
    """

    id: str
    name: str
    input: Any = None
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HostedResult:
    """Outcome of a `HostedCall`.

    Attributes:
        id: of the call.
        output: the result as plain JSON.
        error: the provider's words where it failed; None: it did not.
        metadata: what the provider wants to see again of the result.
    """

    id: str
    output: Any = None
    error: str | None = None
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A page on the web that the model has drawn on, as providers that search by themselves name it."""

    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file that the model answers with, such as a picture that it has drawn.

    Attributes:
        media_type: such as image/png.
        data: its bytes in base64, or the address at which it is (https, http or data:).
        metadata: what the provider wants to see again with it.
    """

    media_type: str
    data: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one request, in tokens; `cost` in US dollars, None where no price is known.

    `cached_tokens` were read from the provider's cache, `cache_write_tokens` written to it; both are
    part of `input_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cost: float | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0

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
            self.cache_write_tokens + other.cache_write_tokens,
        )


@dataclass(frozen=True, slots=True)
class Finish:
    """The provider says that its answer is whole.

    Attributes:
        reason: stop, tool-calls, length, content-filter, …
        message: the provider's own words for it, if it has any.
        metadata: what the provider says of the answer, by provider: its id, the model that served it, …
    """

    reason: str
    message: str = field(default="", compare=False)
    metadata: Metadata | None = field(default=None, compare=False)


ModelEvent = (
    TextDelta | ReasoningDelta | ToolCallDelta | HostedCall | HostedResult | File | Source | Usage | Finish
)


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
