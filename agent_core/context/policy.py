"""Define the protocol of context policies, from the history of a request to the messages to send.

A policy runs before every model request, after the history was repaired and before
`transform_messages`. Its note is stored in the thread with the step: people can see it, and the policy
continues from it, so a policy needs no state in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

from agent_core.domain.model_adapter import ModelAdapter, ProviderMessage, Usage


@dataclass(frozen=True, slots=True)
class ContextRequest:
    """One model request before it is sent.

    Attributes:
        messages: the whole history in the provider's form, paired; the system prompt is the first.
        tools: OpenAI function tools of the request.
        model: the model of the request.
        options: the agent's options for the request.
        note: the newest note of a policy in this thread, as plain JSON; None if there is none.
        thread_id: the thread.
        window: maximum tokens of a request, as named by the provider in an earlier refusal; None if there
            was none.
    """

    messages: list[ProviderMessage]
    tools: list[dict[str, Any]]
    model: ModelAdapter
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    note: Any = None
    thread_id: str = ""
    window: int | None = None


@dataclass(frozen=True, slots=True)
class ContextResult:
    """Messages to send, with a note.

    Attributes:
        messages: new messages, or those of the request. They are paired again, so a cut between a tool
            call and its outcome is safe.
        note: plain JSON to store as a `data-context` part of the assistant's message; None: no change
            since the last note.
        usage: usage of the policy's own model requests; counted with the step's.
    """

    messages: list[ProviderMessage]
    note: dict[str, Any] | None = None
    usage: Usage | None = None


class ContextPolicy(Protocol):
    """Policy that selects the messages to send: `TrimOldest`, `SummariseOldest`, or a custom async function."""

    def __call__(self, request: ContextRequest, /) -> Awaitable[ContextResult]:
        """Return the messages to send; may be called again with the same request.

        Raises:
            ModelError: the request cannot be made to fit; the turn fails with this error.
        """
        ...
