"""An agent: a model, a system prompt, tools, and what should happen around them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent_core.context import ContextPolicy, TrimOldest
from agent_core.errors import ValidationError
from agent_core.llm.base import ModelAdapter
from agent_core.llm.litellm_model import LitellmModel
from agent_core.retry import RetryPolicy
from agent_core.titles import ModelTitle
from agent_core.tools import Tool, normalise_tools

Hook = Callable[..., Any]
"""A sync or async function; what it raises is logged and changes nothing."""


_TRIM = TrimOldest()


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who calls.

    Attributes:
        user_id: the caller; threads that it creates are its own.
        claims: whatever else the application knows of the caller, for `authorization_callback`.
    """

    user_id: str | None = None
    claims: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class StreamingOptions:
    """How a stream is written down while it runs.

    Attributes:
        throttle_ms: milliseconds between flushes of deltas.
        include_tool_input_deltas: whether watchers see arguments while the model writes them.
        enabled: False: watchers see each step when it is whole.
    """

    throttle_ms: int = 100
    include_tool_input_deltas: bool = False
    enabled: bool = True


class Agent:
    """An agent, as code; a thread remembers it by its name.

    Args:
        name: what threads call it; keep it stable, running threads look their agent up by it.
        model: a litellm model name, such as "openai/gpt-5-mini", or a `ModelAdapter`.
        system: the system prompt.
        tools: a dict of tools by name, or a list of decorated tools.
        save_stream_deltas: True, False or `StreamingOptions`.
        context: what of a thread is sent once it has outgrown the model: `TrimOldest()` leaves out the
            oldest turns, `SummariseOldest()` sums them up, None sends everything; or an async function
            of your own, from a `ContextRequest` to a `ContextResult`.
        transform_messages: sync or async; gets the provider's messages of each request and returns
            those that are sent instead. Nothing of it is stored.
        title: what names its threads after their first answer, such as `ModelTitle()`; None: they keep
            the title that is cut from the first message.
        retry: for model requests.
        max_steps: model steps that one turn may take.
        on_message_complete: `(thread_id, message, usage)` after each committed model step.
        on_turn_complete: `(thread_id, message)` when the turn has its answer.
        on_error: `(thread_id, error)` when a turn fails.
        on_retry: `(thread_id, retry_state)` when a failed attempt is going to be made again.
        **model_options: temperature, max_tokens, timeout, … straight to litellm.

    Raises:
        ValidationError: an argument is not acceptable.
    """

    def __init__(
        self,
        name: str,
        model: str | ModelAdapter,
        *,
        system: str | None = None,
        tools: dict[str, Tool] | Sequence[Tool] | None = None,
        save_stream_deltas: bool | StreamingOptions = True,
        context: ContextPolicy | None = _TRIM,
        transform_messages: Callable[[list[dict[str, Any]]], Any] | None = None,
        title: ModelTitle | None = None,
        retry: RetryPolicy | None = None,
        max_steps: int = 50,
        on_message_complete: Hook | None = None,
        on_turn_complete: Hook | None = None,
        on_error: Hook | None = None,
        on_retry: Hook | None = None,
        **model_options: Any,
    ) -> None:
        if not name or not name.strip():
            raise ValidationError("An agent needs a name.")
        if max_steps < 1:
            raise ValidationError("max_steps must be at least 1.")
        if context is not None and not callable(context):
            raise ValidationError("context is a policy, such as TrimOldest(), or None for no limit at all.")
        if title is not None and not isinstance(title, ModelTitle):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError("title is what names threads, ModelTitle(…), or None for no such request.")
        self.name = name
        self.model: ModelAdapter = LitellmModel(model, **model_options) if isinstance(model, str) else model
        self.model_options = {} if isinstance(model, str) else model_options
        self.system = system
        self.tools: dict[str, Tool] = normalise_tools(tools or {})
        self.tool_schemas = [tool.schema() for tool in self.tools.values()]
        self.streaming = _streaming(save_stream_deltas)
        self.context = context
        self.transform_messages = transform_messages
        self.title = title
        self.retry = retry or RetryPolicy()
        self.max_steps = max_steps
        self.on_message_complete = on_message_complete
        self.on_turn_complete = on_turn_complete
        self.on_error = on_error
        self.on_retry = on_retry

    @staticmethod
    def factory(
        make: Callable[[CallContext, str], Agent | Awaitable[Agent]], *, name: str = "assistant"
    ) -> AgentFactory:
        """Return an agent that is made anew before each step by `make(ctx, thread_id)`."""
        return AgentFactory(name, make)

    async def resolve(self, user_id: str | None, thread_id: str) -> Agent:
        """Return itself; a factory makes the agent here."""
        return self


class AgentFactory:
    """Makes the agent of a thread before each step; see `Agent.factory`."""

    def __init__(self, name: str, make: Callable[[CallContext, str], Agent | Awaitable[Agent]]) -> None:
        self.name = name
        self._make = make

    async def resolve(self, user_id: str | None, thread_id: str) -> Agent:
        """Make the agent for a thread of `user_id`."""
        made = self._make(CallContext(user_id), thread_id)
        return await made if inspect.isawaitable(made) else made


AnyAgent = Agent | AgentFactory


def _streaming(option: bool | StreamingOptions) -> StreamingOptions:
    if isinstance(option, StreamingOptions):
        if option.throttle_ms < 0:
            raise ValidationError("throttle_ms must not be negative.")
        return option
    return StreamingOptions(enabled=option)
