"""Define the protocol of model adapters, their requests and their events.

An adapter turns one request into an async iterator of events and every failure into a `ModelError`.
An adapter neither retries nor stores anything. Closing the iterator (`aclose`, or cancelling the task that
reads it) must end the provider's stream at once, so that a stopped thread costs nothing more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

ProviderMessage = dict[str, Any]
"""One message in the provider form, which is OpenAI's chat format."""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One model request, in the provider's form.

    Attributes:
        messages: dicts with role, content, tool_calls, tool_call_id; the system prompt is the first.
        tools: OpenAI function tools, as `Tool.schema()` gives them.
        options: options of the request, such as temperature; they override the adapter's own.
        provider_tools: tools that the provider runs itself, in its own form.
    """

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    provider_tools: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


Metadata = Mapping[str, Any]
"""Plain JSON that a provider expects back, by provider: {"anthropic": {"signature": "…"}}.

This is the AI SDK's `providerMetadata` (https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message). Metadata is
stored with the event's part when that part is complete, never shown, and sent back only in requests to the
same model; see `agent_core.domain.signatures`. Comparison of events ignores metadata.
"""


def merge_metadata(known: dict[str, Any], metadata: Metadata) -> None:
    """Merge metadata into `known`: objects recursively, any other value replaces the old one."""
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
    """A fragment of the model's reasoning.

    An empty text with metadata ends the open reasoning part, or is a part of its own if none is open;
    later reasoning starts the next part.
    """

    text: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A fragment of a tool call.

    Attributes:
        index: number of the call within the answer; None: the provider does not number calls.
        id: id of the call, in its first fragment.
        name: name of the tool, in the call's first fragment.
        arguments: the next piece of the arguments' JSON text.
        metadata: metadata of the call, in any of its fragments.
    """

    index: int | None
    id: str | None
    name: str | None
    arguments: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HostedCall:
    """A call of a tool that the provider runs itself, such as a web search.

    Attributes:
        id: id of the call, the same as in its `HostedResult`.
        name: name of the tool.
        input: arguments as plain JSON.
        metadata: what the provider expects back of the call.
    """

    id: str
    name: str
    input: Any = None
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class HostedResult:
    """Outcome of a `HostedCall`.

    Attributes:
        id: id of the call.
        output: the result as plain JSON.
        error: the provider's error message if the call failed, else None.
        metadata: what the provider expects back of the result.
    """

    id: str
    output: Any = None
    error: str | None = None
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """A web page that the model cites, from providers that search the web themselves."""

    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class File:
    """A file in the model's answer, such as a generated image.

    Attributes:
        media_type: such as image/png.
        data: the bytes in base64, or the file's URL (https, http or data:).
        metadata: what the provider expects back with the file.
    """

    media_type: str
    data: str
    metadata: Metadata | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one request, in tokens; `cost` in US dollars, None if no price is known.

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
        """Return the sum of both requests; the cost is unknown if either cost is."""
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
    """End of an answer, as the provider reports it.

    Attributes:
        reason: stop, tool-calls, length, content-filter, …
        message: the provider's explanation, if it gave one.
        metadata: metadata of the answer, by provider: its id, the model that served it, …
    """

    reason: str
    message: str = field(default="", compare=False)
    metadata: Metadata | None = field(default=None, compare=False)


ModelEvent = (
    TextDelta | ReasoningDelta | ToolCallDelta | HostedCall | HostedResult | File | Source | Usage | Finish
)


class ModelAdapter(Protocol):
    """Adapter of a model."""

    @property
    def name(self) -> str:
        """Name of the model, such as "openai/gpt-5-mini"."""
        ...

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield the answer's events as they arrive; the last ones are `Usage` and `Finish`.

        Raises:
            ModelError: any failure, in the provider's words if there are some. A stream that ends
                without a `Finish` counts as truncated.
        """
        ...


class FormattingModel(ModelAdapter, Protocol):
    """Adapter whose model can be held to a form of its answer; the method is optional.

    Without it, or if it returns False, the form is asked for in words, at the end of the system prompt.
    """

    async def takes_format(
        self, answer_format: dict[str, Any], options: Mapping[str, Any], *, has_tools: bool
    ) -> bool:
        """Return whether requests take the form as the option `response_format`, in OpenAI's form.

        Args:
            answer_format: see `TurnOptions.answer_format`.
            options: the other options of the request.
            has_tools: whether the request has tools.
        """
        ...


class SizedModel(ModelAdapter, Protocol):
    """Adapter that knows its model's context window; both methods are optional.

    `agent_core.context` calls them. Without `context_window` a model has no known limit; without
    `count_tokens` tokens are estimated.
    """

    async def context_window(self, options: Mapping[str, Any]) -> int | None:
        """Return how many tokens a request with these options may have, with room for the answer; None: unknown.

        Called before each request, so it should be fast.
        """
        ...

    def count_tokens(self, text: str) -> int:
        """Return how many tokens a text has; called in a thread, after `context_window`."""
        ...
