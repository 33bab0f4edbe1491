"""What a context policy is: it gets the history of one model request and returns what is sent of it.

A policy runs before every model request, after the history was repaired and before
`transform_messages`. What it says in its note is stored with the step, in the thread, for people to
see and for the policy itself to go on from; so nothing of it need be kept in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent_core.context.provider_messages import Provider
from agent_core.domain.model_adapter import ModelAdapter, Usage


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """One model request before it is sent.

    Attributes:
        messages: the whole history in the provider's form, paired; the system prompt is the first.
        tools: OpenAI function tools, which are sent too.
        model: the model that is going to be asked.
        options: the agent's options for the request.
        note: what a policy noted last in this thread, as plain JSON; None: nothing yet.
        thread_id: the thread.
        window: the tokens that a request may have, as the model's provider named them when it refused a
            longer one; None: it has refused none.
    """

    messages: list[Provider]
    tools: list[dict[str, Any]]
    model: ModelAdapter
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    note: Any = None
    thread_id: str = ""
    window: int | None = None


@dataclass(frozen=True, slots=True)
class ContextResult:
    """What is sent.

    Attributes:
        messages: new messages, or those of the request. They are paired again, so a cut between a tool
            call and its outcome does no harm.
        note: plain JSON to store as a `data-context` part of the assistant's message; None: nothing has
            changed since the last one.
        usage: what the policy's own model requests used; it is counted with the step's.
    """

    messages: list[Provider]
    note: dict[str, Any] | None = None
    usage: Usage | None = None


class ContextPolicy(Protocol):
    """Decides what of a thread is sent: `TrimOldest`, `SummariseOldest`, or an async function of one's own."""

    def __call__(self, request: ContextRequest, /) -> Awaitable[ContextResult]:
        """Return what is sent; it may be called again with the same request.

        Raises:
            ModelError: nothing that could be sent fits; the turn fails with this sentence.
        """
        ...
