"""Check that a model adapter follows its protocol, and translate its exceptions.

Adapters may be custom code. Whatever an adapter does, the thread fails with a message that tells the author
what to change, or is retried if the network failed.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator
from typing import Any, cast, get_args

from agent_core.domain.model_adapter import (
    ModelAdapter,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    Usage,
)
from agent_core.errors import ModelError, ValidationError, as_exception, words_of
from agent_core.llm.errors.model_errors import status_of, to_model_error
from agent_core.llm.errors.network_errors import is_transport
from agent_core.sentences import sentence
from agent_core.support.argument_checks import check_fields, shown
from agent_core.text.redaction import secret_values

_EVENTS: tuple[type, ...] = get_args(ModelEvent)
_MUST = f"it must yield {', '.join(kind.__name__ for kind in _EVENTS[:-1])} or {_EVENTS[-1].__name__}"


def check_adapter(model: Any, who: str) -> None:
    """Raise ValidationError unless `model` is a `ModelAdapter`; `who` is the called function or class."""
    name = getattr(model, "name", None)
    if inspect.isclass(model) or not callable(getattr(model, "stream", None)) or not isinstance(name, str):
        raise ValidationError(
            f"model of {who} must be a litellm model name, such as openai/gpt-5-mini, or a ModelAdapter: "
            f"an object with a name and a method stream(request), not {shown(model)}."
        )


def open_events(adapter: ModelAdapter, request: ModelRequest) -> AsyncIterator[ModelEvent]:
    """Return the iterator over an adapter's events.

    Raises:
        ModelError: the adapter did not return an async iterator.
    """
    events: Any = adapter.stream(request)
    if hasattr(events, "__aiter__"):
        return events
    if inspect.iscoroutine(events):
        events.close()
    kind = type(events).__name__
    raise ModelError(
        f"ModelAdapter {adapter.name!r} returned {kind!r} from stream(); {_MUST} "
        "(async def stream(self, request) with yield, an async generator)."
    )


def checked_event(adapter: ModelAdapter, event: Any) -> ModelEvent:
    """Return an event if it is valid.

    Raises:
        ModelError: it is not an event, or has a field of another type.
    """
    kind = cast("type[Any]", type(event))
    if kind is TextDelta or kind is ReasoningDelta:
        if type(event.text) is str:
            return event
    elif kind is Usage:  # its numbers are checked when they are summed
        return event
    elif not isinstance(event, _EVENTS):
        raise ModelError(f"ModelAdapter {adapter.name!r} yielded {kind.__name__!r}; {_MUST}.")
    try:
        check_fields(event)
    except ValidationError as error:
        raise ModelError(
            f"ModelAdapter {adapter.name!r} yielded an invalid {kind.__name__}: {error}"
        ) from error
    return event


def secrets_of(adapter: ModelAdapter, request: ModelRequest) -> list[str]:
    """Return the values to hide in messages about a request."""
    return secret_values({**getattr(adapter, "options", {}), **request.options})


def as_model_error(adapter: ModelAdapter, request: ModelRequest, error: BaseException) -> ModelError:
    """Return an adapter's exception as a `ModelError`; network and HTTP errors may be retryable.

    Raises:
        BaseException: the error itself, if it comes from outside; see `as_exception`.
    """
    failure, secrets = as_exception(error, "It"), secrets_of(adapter, request)
    if isinstance(failure, ModelError):
        return failure
    if is_transport(failure) or status_of(failure) is not None:
        return to_model_error(failure, model=adapter.name, secrets=secrets)
    if isinstance(failure.__cause__, StopIteration | StopAsyncIteration):
        kind = type(failure.__cause__).__name__
        return ModelError(
            f"ModelAdapter {adapter.name!r} raised {kind!r}; {_MUST}, a Finish last, and then return."
        )
    return ModelError(sentence("model_adapter_failed", words=words_of(failure, secrets)))
