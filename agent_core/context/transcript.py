"""Render a part of a thread as plain text, for a model that summarises it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from agent_core.context.cut import shorten
from agent_core.context.token_meter import TokenMeter
from agent_core.domain.model_adapter import ProviderMessage

_WORDS = 6_000  # maximum characters of a message
_OUTCOME = 1_500
_PIECES = 8  # maximum requests for one summary; older text is omitted


def pieces(messages: Iterable[ProviderMessage], meter: TokenMeter, tokens: int) -> list[str]:
    """Return the messages as a transcript in pieces of at most `tokens` each, unless a single line is longer."""
    found: list[list[str]] = []
    size = tokens
    for line in _lines(messages):
        more = meter.text(line) + 1
        if size + more > tokens:
            found.append([])
            size = 0
        found[-1].append(line)
        size += more
    return ["\n".join(lines) for lines in found[-_PIECES:]]


def _lines(messages: Iterable[ProviderMessage]) -> Iterator[str]:
    names = {"user": "Person", "assistant": "Assistant", "system": "System", "tool": "Outcome"}
    for message in messages:
        role = str(message.get("role"))
        if words := _words(message.get("content")):
            yield f"{names.get(role, role)}: {shorten(words, _OUTCOME if role == 'tool' else _WORDS)}"
        for call in message.get("tool_calls") or ():
            function = call["function"]
            arguments = shorten(str(function.get("arguments") or ""), _OUTCOME)
            yield f"Assistant calls {function['name']}({arguments})"


def _words(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    parts = cast("list[dict[str, Any]]", content)
    return " ".join(
        str(part.get("text")) if part.get("type") == "text" else f"[{part.get('type')}]" for part in parts
    )
