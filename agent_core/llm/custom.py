"""Register providers written in Python with litellm.

A provider is a function from a request to an async iterator of events; `register_custom_provider`
makes "name/anything" a model name. It becomes a litellm `CustomLLM`, so its answers take
the same path as those of any provider.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from agent_core.domain.model_adapter import (
    File,
    Finish,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_arguments, shown

Answer = Callable[[ModelRequest], AsyncIterator[ModelEvent]]

_answers: dict[str, Answer] = {}
_registered: set[str] = set()


def register_custom_provider(provider: str, answer: Answer) -> None:
    """Register `provider` with litellm, now or when litellm is imported; a repeated name replaces the old one.

    Args:
        provider: the part before the slash in a model's name.
        answer: yields the events of one answer, a `Finish` last; may raise a `ModelError`.

    Raises:
        ValidationError: the name is not valid before a slash, or `answer` is not a function.
    """
    check_arguments(register_custom_provider, (provider, answer), {})
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", provider):
        raise ValidationError(
            f"{shown(provider)} cannot be the name of a provider: use letters, digits, _, . and -."
        )
    _answers[provider] = answer


def custom_providers() -> frozenset[str]:
    """Return the names of the providers registered so far."""
    return frozenset(_answers)


def register_custom_providers(litellm: Any) -> None:
    """Pass the registered providers to litellm; cheap if nothing is new."""
    for provider in _answers.keys() - _registered:
        litellm.custom_provider_map.append(
            {"provider": provider, "custom_handler": _handler(litellm, provider)}
        )
        _registered.add(provider)


def _handler(litellm: Any, provider: str) -> Any:
    """Return the `CustomLLM` of one provider; its base class needs an imported litellm."""

    async def astreaming(
        _self: Any, model: str, messages: list[dict[str, Any]], optional_params: dict[str, Any], **_: Any
    ) -> AsyncIterator[Any]:
        options = dict(optional_params)
        tools: list[dict[str, Any]] = options.pop("tools", None) or []
        async for event in _answers[provider](ModelRequest(messages, tools, {**options, "model": model})):
            yield _encode(litellm, event)

    base: Any = litellm.CustomLLM
    return type(f"{provider.title()}Provider", (base,), {"astreaming": astreaming})()


def _encode(litellm: Any, event: ModelEvent) -> Any:
    """Return an event as the chunk of an OpenAI-compatible provider."""
    types = litellm.types.utils
    if isinstance(event, Usage):
        usage = litellm.Usage(
            prompt_tokens=event.input_tokens,
            completion_tokens=event.output_tokens,
            total_tokens=event.total_tokens,
            reasoning_tokens=event.reasoning_tokens,
        )
        return types.ModelResponseStream(choices=[], usage=usage)
    finish = event.reason.replace("-", "_") if isinstance(event, Finish) else None
    delta = types.Delta(**_delta(event))
    return types.ModelResponseStream(
        choices=[types.StreamingChoices(index=0, delta=delta, finish_reason=finish)]
    )


def _delta(event: ModelEvent) -> dict[str, Any]:
    if isinstance(event, TextDelta):
        return {"content": event.text}
    if isinstance(event, ReasoningDelta):
        return {"reasoning_content": event.text}
    if isinstance(event, ToolCallDelta):
        function = {"name": event.name, "arguments": event.arguments}
        return {
            "tool_calls": [{"index": event.index, "id": event.id, "type": "function", "function": function}]
        }
    if isinstance(event, File):
        url = event.data if ":" in event.data else f"data:{event.media_type};base64,{event.data}"
        return {"images": [{"type": "image_url", "image_url": {"url": url}}]}
    if isinstance(event, Source):
        cited = {"url": event.url, "title": event.title}
        return {"annotations": [{"type": "url_citation", "url_citation": cited}]}
    return {}
