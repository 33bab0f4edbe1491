"""Check the parameters of requests: used, ignored because that is harmless, or refused.

A parameter is ignored if the answer is right without it: it only tunes how a model writes, or how OpenAI serves it.
A parameter that changes what the client gets is refused, unless its value asks for what it gets anyway.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from agent_core.errors import ValidationError, words_of
from agent_core.http.openai.errors import RequestError
from agent_core.http.requests import expect, object_of

TYPES: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "instructions", "previous_response_id"), (str,)),
    **dict.fromkeys(("stream", "store", "background", "parallel_tool_calls"), (bool,)),
    **dict.fromkeys(("metadata", "stream_options", "response_format", "text"), (dict,)),
    **{"items": (list,), "tools": (list,), "tool_choice": (str, dict)},
    **{"messages": (list,), "input": (str, list), "conversation": (str, dict)},
}
"""The JSON types of the parameters that are used; null is the same as leaving one out."""

_SAMPLING = (
    *("temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "max_tokens"),
    *("top_k", "min_p", "repetition_penalty"),  # of other servers, whose clients send them everywhere
)
_SERVICE = (
    *("user", "safety_identifier", "service_tier", "prompt_cache_key", "prompt_cache_retention"),
    *("prompt_cache_options", "moderation"),
)
CHAT_IGNORED = frozenset(
    {
        *_SAMPLING,
        *_SERVICE,
        *("max_completion_tokens", "reasoning_effort", "verbosity", "prediction"),
    }
)
RESPONSES_IGNORED = frozenset(
    {
        *_SAMPLING,
        *_SERVICE,
        *("max_output_tokens", "max_tool_calls", "reasoning", "include", "truncation"),
        *("stream_options", "context_management"),
    }
)
"""Parameters that are ignored: the agent's own model options hold."""

_ASKS = ("tools", "tool_choice", "parallel_tool_calls")
CHAT_USED = frozenset(
    {"model", "messages", "stream", "stream_options", "metadata", "store", "response_format", *_ASKS}
)
RESPONSES_USED = frozenset(
    {
        *("model", "input", "instructions", "stream", "metadata", "store", "background"),
        *("previous_response_id", "conversation", "text", *_ASKS),
    }
)


class Refused(NamedTuple):
    """A parameter that is refused: the values that ask for nothing, and what to do instead."""

    neutral: tuple[Any, ...]
    advice: str


_TOOLS = "An agent runs its own tools on the server; add the tool to the agent."
_OLD = "It is tools and tool_choice now."
_TEXT = "An agent answers with text."
REFUSED: Mapping[str, Refused] = {
    "functions": Refused(([],), _OLD),
    "function_call": Refused(("auto", "none"), _OLD),
    "n": Refused((1,), "A request is one turn with one answer; send several requests."),
    "stop": Refused(([], ""), "An answer ends where the agent ends it."),
    "modalities": Refused((["text"],), _TEXT),
    "audio": Refused((), _TEXT),
    "logprobs": Refused((False,), "An agent has no log probabilities."),
    "top_logprobs": Refused((0,), "An agent has no log probabilities."),
    "logit_bias": Refused(({},), "An agent does not change the weights of tokens."),
    "web_search_options": Refused((), _TOOLS),
    "prompt": Refused((), "There are no prompt templates; the agent has its own instructions."),
}


def check_parameters(body: Mapping[str, Any], used: Collection[str], ignored: Collection[str]) -> None:
    """Check the names of a body's parameters, the types of the used ones, and the values of the refused ones.

    Raises:
        RequestError: a parameter is unknown, has another type, or is not supported.
    """
    for name, value in body.items():
        if value is None or name in ignored:
            continue
        if name in used:
            _check_type(name, value)
        elif name not in REFUSED:
            raise RequestError(f"Unknown parameter: {name!r:.60}.", name[:60], code="unknown_parameter")
        elif not _asks_for_nothing(name, value):
            advice = REFUSED[name].advice
            message = f"The parameter {name} is not supported. {advice}"
            raise RequestError(message, name, code="unsupported_parameter")
    _check_metadata(body.get("metadata"))


def _asks_for_nothing(name: str, value: Any) -> bool:
    return any(type(value) is type(one) and value == one for one in REFUSED[name].neutral)


def _check_type(name: str, value: Any) -> None:
    try:
        expect({name: value}, {name: TYPES[name]})
    except ValidationError as error:
        raise RequestError(words_of(error), name, code="invalid_type") from None


def _check_metadata(given: Any) -> None:
    if not all(isinstance(value, str) for value in object_of(given).values()):
        raise RequestError("The values of metadata must be strings.", "metadata", code="invalid_type")


def flag(options: Any, name: str) -> bool:
    """Return an option of `stream_options` that is true or false; False if it is absent.

    Raises:
        RequestError: it is neither.
    """
    value = object_of(options).get(name)
    if value is not None and not isinstance(value, bool):
        raise RequestError(f"{name} must be true or false.", f"stream_options.{name}", code="invalid_type")
    return bool(value)
