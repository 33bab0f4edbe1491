"""Define agents: a model, a system prompt, tools, policies and hooks."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent_core.context.policy import ContextPolicy, TrimOldest
from agent_core.context.thread_title import ModelTitle
from agent_core.domain.model_adapter import ModelAdapter
from agent_core.errors import ValidationError
from agent_core.llm.adapter_check import check_adapter
from agent_core.llm.litellm_adapter import LitellmModel
from agent_core.llm.options import check_options
from agent_core.support.argument_checks import (
    check_arguments,
    check_fields,
    check_name,
    check_takes,
    known_options,
    shown,
)
from agent_core.support.retry import RetryPolicy
from agent_core.tools.provider_tools import checked_provider_tools
from agent_core.tools.tool import Tool, normalise_tools

Hook = Callable[..., Any]
"""A sync or async function; its exceptions are logged and have no other effect."""


_TRIM = TrimOldest()


_HOOKS = {
    "transform_messages": ("messages",),
    "on_message_complete": ("thread_id", "message", "usage"),
    "on_turn_complete": ("thread_id", "message"),
    "on_error": ("thread_id", "error"),
    "on_retry": ("thread_id", "retry_state"),
}
"""Arguments of the functions that an agent calls."""


@known_options
@dataclass(frozen=True, slots=True)
class CallContext:
    """Identity of the caller.

    Attributes:
        user_id: the caller, who owns the threads that the call creates.
        claims: further facts about the caller, for `authorization_callback`.
    """

    user_id: str | None = None
    claims: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """Check both fields."""
        check_fields(self)


NOBODY = "\0nobody"
"""`user_id` of callers who are not signed in; it owns no thread, because no row can contain this text."""


@known_options
@dataclass(frozen=True, slots=True)
class StreamingOptions:
    """Options for saving the deltas of a running stream.

    Attributes:
        throttle_ms: milliseconds between flushes of deltas.
        include_tool_input_deltas: whether subscribers see arguments while the model writes them.
        enabled: whether subscribers see partial steps; False: only complete ones.
    """

    throttle_ms: int = 100
    include_tool_input_deltas: bool = False
    enabled: bool = True

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)
        if self.throttle_ms < 0:
            raise ValidationError("throttle_ms of StreamingOptions must not be negative.")


class Agent:
    """An agent, defined in code; threads refer to it by name.

    Args:
        name: name of the agent; keep it stable, because threads look up their agent by name.
        model: a litellm model name, such as "openai/gpt-5-mini", or a `ModelAdapter`.
        system: the system prompt.
        tools: a dict of tools by name, or a list of decorated tools.
        provider_tools: tools that the provider runs itself (its web search, its code execution), as the
            provider's own dicts; their calls and results become parts with `providerExecuted`.
        save_stream_deltas: True, False or `StreamingOptions`.
        context: policy for threads that exceed the model's context window: `TrimOldest()` omits the
            oldest turns, `SummariseOldest()` summarises them, None sends everything; or an async function
            from a `ContextRequest` to a `ContextResult`.
        transform_messages: sync or async function that gets the provider's messages of each request and
            returns the messages to send. The result is not stored.
        title: makes the titles of threads after the first answer, such as `ModelTitle()`; None: a thread
            keeps the beginning of its first message as its title.
        retry: retry policy of model requests.
        max_steps: maximum number of model steps in one turn.
        delete_after: seconds without activity after which a thread of this agent is deleted; `math.inf`: never;
            None: as `Settings.delete_after` says.
        on_message_complete: `(thread_id, message, usage)` after each committed model step; the message has
            the step's `finish_reason` and `provider_metadata`, usage None if the provider reported none.
        on_turn_complete: `(thread_id, message)` when the turn is complete; the message has these two of the
            last step, and the `usage` of the whole turn.
        on_error: `(thread_id, error)` when a turn fails; the error has `attempt` and `max_attempts`.
        on_retry: `(thread_id, retry_state)` when a failed attempt will be retried.
        **model_options: temperature, max_tokens, timeout, …, passed to litellm.

    Raises:
        ValidationError: an argument is invalid.
    """

    def __init__(
        self,
        name: str,
        model: str | ModelAdapter,
        *,
        system: str | None = None,
        tools: Mapping[str, Tool] | Sequence[Tool] | None = None,
        provider_tools: Sequence[dict[str, Any]] | None = None,
        save_stream_deltas: bool | StreamingOptions = True,
        context: ContextPolicy | None = _TRIM,
        transform_messages: Callable[[list[dict[str, Any]]], Any] | None = None,
        title: ModelTitle | None = None,
        retry: RetryPolicy | None = None,
        max_steps: int = 50,
        delete_after: float | None = None,
        on_message_complete: Hook | None = None,
        on_turn_complete: Hook | None = None,
        on_error: Hook | None = None,
        on_retry: Hook | None = None,
        **model_options: Any,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in ("self", "model_options")}
        check_arguments(Agent.__init__, (), given, who="Agent", but=("model", "tools", "context"))
        check_name(name, "An agent")
        for hook, takes in _HOOKS.items():
            check_takes(given[hook], takes, f"{hook} of Agent")
        if max_steps < 1:
            raise ValidationError("max_steps of Agent must be at least 1.")
        if delete_after is not None and not delete_after >= 0:
            raise ValidationError("delete_after of Agent must not be negative.")
        if context is not None and not callable(context):
            raise ValidationError(
                "context of Agent must be a policy, such as TrimOldest(), or None for no limit."
            )
        self.name = name
        self.model, self.model_options = _model(model, model_options, given)
        self.system = system
        self.tools: dict[str, Tool] = normalise_tools(tools)
        self.provider_tools = checked_provider_tools(provider_tools, self.tools)
        self.tool_schemas = [tool.schema() for tool in self.tools.values()]
        self.streaming = (
            save_stream_deltas
            if isinstance(save_stream_deltas, StreamingOptions)
            else StreamingOptions(enabled=save_stream_deltas)
        )
        self.context = context
        self.transform_messages = transform_messages
        self.title = title
        self.retry = retry or RetryPolicy()
        self.max_steps = max_steps
        self.delete_after = delete_after
        self.on_message_complete = on_message_complete
        self.on_turn_complete = on_turn_complete
        self.on_error = on_error
        self.on_retry = on_retry

    @staticmethod
    def factory(
        make: Callable[[CallContext, str], Agent | Awaitable[Agent]], *, name: str = "assistant"
    ) -> AgentFactory:
        """Return a factory that makes the agent with `make(ctx, thread_id)` before each step.

        Raises:
            ValidationError: `make` is not a function, or the name is invalid.
        """
        return AgentFactory(name, make)

    @functools.cached_property
    def fingerprint(self) -> str:
        """Short hash of what the model is given: name, model, system prompt and tools; stored with each step."""
        parts = [self.name, self.model.name, self.system, self.tool_schemas, self.provider_tools]
        text = json.dumps(parts, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    async def resolve(self, user_id: str | None, thread_id: str) -> Agent:
        """Return the agent itself, for the interface shared with `AgentFactory`."""
        return self


class AgentFactory:
    """Factory that makes the agent of a thread before each step; see `Agent.factory`."""

    def __init__(self, name: str, make: Callable[[CallContext, str], Agent | Awaitable[Agent]]) -> None:
        check_arguments(AgentFactory.__init__, (), {"name": name, "make": make}, who="Agent.factory")
        check_takes(make, ("ctx", "thread_id"), "make of Agent.factory")
        check_name(name, "An agent")
        self.name = name
        self._make = make

    async def resolve(self, user_id: str | None, thread_id: str) -> Agent:
        """Make the agent for a thread of `user_id`.

        Raises:
            ValidationError: the function did not return an Agent.
        """
        made: Any = self._make(CallContext(user_id), thread_id)
        made = await made if inspect.isawaitable(made) else made
        if not isinstance(made, Agent):
            raise ValidationError(f"The factory of {self.name!r} must return an Agent, not {shown(made)}.")
        return made


AnyAgent = Agent | AgentFactory


def check_agent(agent: object) -> AnyAgent:
    """Return `agent` if it is an agent or a factory.

    Raises:
        ValidationError: it is neither.
    """
    if not isinstance(agent, AnyAgent):
        raise ValidationError(f"An Agent or an Agent.factory(…) is needed, not {shown(agent)}.")
    return agent


def _model(
    model: str | ModelAdapter, options: dict[str, Any], named: Mapping[str, Any]
) -> tuple[ModelAdapter, dict[str, Any]]:
    """Return the adapter and the options of its requests, both checked.

    Valid options are those of litellm, and those that the adapter declares as `option_names`.
    """
    if isinstance(model, str):
        check_options("Agent", options, named=named)
        return LitellmModel(model, **options), {}
    check_adapter(model, "Agent")
    check_options("Agent", options, named=named, more=getattr(model, "option_names", ()))
    return model, options
