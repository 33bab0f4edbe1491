"""Count the tokens of messages, exactly only if needed.

Every token is at least one byte, so a short thread is known to fit without a tokenizer. Pictures and
other files are estimated without opening them: their cost depends on the provider.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agent_core.domain.model_adapter import ModelAdapter, ProviderMessage
from agent_core.llm.tokens import estimate_tokens, most_tokens
from agent_core.support.plain_json import fields_of, items_of

MESSAGE_TOKENS = 8
"""Tokens of a message besides its texts: role and delimiters."""

_CALL_TOKENS = 24
"""Tokens of a tool call or its outcome besides its texts: id and delimiters."""

IMAGE_TOKENS = 1_600
"""Tokens of a picture at the sizes that providers scale it to."""

_FILE_TOKENS = (1_600, 32_000)
"""Minimum and maximum tokens of another file; in between, one token per 20 characters."""

_MAX_CACHED = 64  # lists of tools; the oldest is dropped
_tools: OrderedDict[int, tuple[list[dict[str, Any]], str]] = OrderedDict()


class TokenMeter:
    """Token counter of one model, with the model's tokenizer if it has one."""

    def __init__(self, model: ModelAdapter) -> None:
        self._count: Callable[[str], int] = getattr(model, "count_tokens", estimate_tokens)

    def text(self, text: str) -> int:
        """Return the number of tokens of a text."""
        return min(self._count(text), most_tokens(text))

    def message(self, message: ProviderMessage) -> int:
        """Return the number of tokens of a message."""
        return _weigh(message, self.text)

    def request(self, messages: Iterable[ProviderMessage], tools: list[dict[str, Any]]) -> int:
        """Return the number of tokens of messages and tools."""
        return sum(map(self.message, messages)) + self.text(_as_text(tools))


def at_most(messages: Iterable[ProviderMessage], tools: list[dict[str, Any]]) -> int:
    """Return an upper bound of the tokens of messages and tools, in half a microsecond each."""
    return sum([_weigh(message, most_tokens) for message in messages]) + most_tokens(_as_text(tools))


def about(messages: Iterable[ProviderMessage], tools: list[dict[str, Any]]) -> int:
    """Return an estimate of the tokens of messages and tools without a tokenizer, rather too high than too low."""
    return sum([_weigh(message, estimate_tokens) for message in messages]) + estimate_tokens(_as_text(tools))


def _weigh(message: ProviderMessage, count: Callable[[str], int]) -> int:
    content = message.get("content")
    tokens = MESSAGE_TOKENS
    if isinstance(content, str):
        tokens += count(content)
    elif content is not None:
        tokens += sum(_part(part, count) for part in items_of(content))
    if "tool_call_id" in message:
        tokens += _CALL_TOKENS
    for call in message.get("tool_calls") or ():
        function = call["function"]
        tokens += _CALL_TOKENS + count(function["name"]) + count(function.get("arguments") or "")
        tokens += _beside(call, _OF_CALL, count)
    return tokens + _beside(message, _OF_MESSAGE, count)


_OF_MESSAGE = frozenset({"role", "content", "name", "tool_calls", "tool_call_id"})
_OF_CALL = frozenset({"id", "type", "function", "index"})


def _beside(holder: Mapping[str, Any], known: frozenset[str], count: Callable[[str], int]) -> int:
    """Return the number of tokens of the reasoning and signatures of a message."""
    return sum(count(json.dumps(holder[key], default=str)) for key in holder.keys() - known)


def _part(part: Any, count: Callable[[str], int]) -> int:
    fields = fields_of(part)
    kind = fields.get("type")
    if kind == "text":
        return count(str(fields.get("text")))
    if kind == "image_url":
        return IMAGE_TOKENS
    if kind == "file":
        data = str(fields_of(fields.get("file")).get("file_data") or "")
        least, most = _FILE_TOKENS
        return max(least, min(most, len(data) // 20))
    return count(json.dumps(part, default=str))


def _as_text(tools: list[dict[str, Any]]) -> str:
    """Return the tools as JSON; an agent's list is the same at each of its steps."""
    if not tools:
        return ""
    known = _tools.get(id(tools))
    if known is None or known[0] is not tools:
        known = _tools[id(tools)] = (tools, json.dumps(tools, ensure_ascii=False))
        if len(_tools) > _MAX_CACHED:
            _tools.popitem(last=False)
    return known[1]
