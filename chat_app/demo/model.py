"""Demo model that streams text, reasoning and tool calls at a human pace, without a network or a key.

It is a `ModelAdapter` of its own, so an app with nothing but this model never loads litellm, which takes 130 MB
and seconds of CPU. An answer depends only on the messages: a step that runs again after a crash gets the same
answer.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, cast

from agent_core.llm import (
    Finish,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from chat_app.demo import failures, prose
from chat_app.demo.planning import Batch, plan
from chat_app.i18n import ENGLISH, LANGUAGES, read
from chat_app.model.model_choice import DEMO_MODEL

_WORDS_PER_SECOND = 80.0
_FIRST_WORD_AFTER = 0.35
_SHORTEST_WAIT = 0.004  # in seconds; the resolution of timers is about a millisecond
_MAX_ECHO = 20_000
_MAX_READ = 2000
"""Maximum characters read of a message; the patterns take quadratic time in the worst case."""

_MAX_STREAM_LINES = 3000
"""Maximum deltas of an answer; a longer answer has larger deltas, so that it does not take half an hour."""

_MIDWAY = 12
"""Number of words before a failure "midway"."""

_WORD = re.compile(r"\s*\S+|\s+")
_LENGTH = re.compile(r"\b(\d{1,3}(?:,\d{3})+|\d+)[\s-]*words?\b", re.I)
_LINES = re.compile(
    r"\b(\d{1,3}(?:,\d{3})+|\d+)[\s-]*lines?\b.*\bcode\b|\bcode\b.*?\b(\d+)[\s-]*lines?\b", re.I
)

_SUGGESTIONS = {
    text: ENGLISH[key]
    for language in LANGUAGES
    for key, text in read(language).items()
    if key.startswith("composer.suggest_")
}
"""English texts of the suggestions for a new chat, by their texts in every language."""

_Messages = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Reply:
    """Answer of the demo model: its text, reasoning and tool calls."""

    text: str = ""
    reasoning: str = ""
    batch: tuple[tuple[str, dict[str, Any]], ...] = ()


class DemoModel:
    """Adapter of the demo model; `speed` is a factor of its pace."""

    name = DEMO_MODEL

    def __init__(self, speed: float = 1.0) -> None:
        self._speed = speed

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Yield the answer's events; see `ModelAdapter.stream`.

        Raises:
            ModelError: the last message asks for a failure.
        """
        return _stream(request, self._speed)


def reply_to(messages: _Messages, tools: set[str]) -> Reply:
    """Return the answer to messages; the same messages always get the same answer."""
    asked, since = _last_question(messages)
    batches = [] if _is_literal(asked[:_MAX_READ]) else plan(asked[:_MAX_READ], tools)
    answered = sum(1 for message in since if message.get("tool_calls"))
    if answered < len(batches):
        return _next_batch(batches[answered], first=answered == 0)
    if answered:
        return Reply("\n\n".join(_described(since)))
    echo = _echo(asked)
    return Reply(_say(asked[:_MAX_READ]) if echo is None else echo, _thoughts(asked[:_MAX_READ]))


def _last_question(messages: _Messages) -> tuple[str, _Messages]:
    """Return the text of the last user message, and the messages after it."""
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].get("role") == "user":
            return in_english(_text(messages[place].get("content"))), messages[place + 1 :]
    return "", messages


def in_english(text: str) -> str:
    """Translate a suggestion of any language to English; return any other text unchanged."""
    return _SUGGESTIONS.get(text.strip(), text)


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = cast("list[dict[str, Any]]", content or [])
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def _is_literal(asked: str) -> bool:
    return bool(
        re.match(r"\s*echo:", asked, re.I) or failures.requested_failure(asked) or _LENGTH.search(asked)
    )


def _next_batch(batch: Batch, *, first: bool) -> Reply:
    purposes = " and ".join(use.purpose for use in batch)
    reasoning = f"This needs {purposes}." if first else f"Next: {purposes}."
    names = " and ".join(f"`{use.tool}`" for use in batch)
    text = f"I will use {names}." if first else f"Now {names}."
    return Reply(text, reasoning, tuple((use.tool, use.arguments) for use in batch))


def _described(since: _Messages) -> Iterator[str]:
    names = {call["id"]: call["function"]["name"] for each in since for call in each.get("tool_calls") or ()}
    for message in since:
        if message.get("role") == "tool":
            tool = names.get(message.get("tool_call_id"), "tool")
            yield prose.describe_outcome(tool, _text(message.get("content")))


def _echo(asked: str) -> str | None:
    echo = re.match(r"\s*echo: ?(.*)", asked, re.I | re.S)
    return echo.group(1) if echo else None


def _say(asked: str) -> str:
    if lines := _LINES.search(asked):
        return prose.code(_bounded(lines.group(1) or lines.group(2)))
    if words := _LENGTH.search(asked):
        return prose.story(_bounded(words.group(1)), asked)
    if re.search(r"\b(?:story|essay|poem|long answer|something long)\b", asked, re.I):
        return prose.story(1200 if re.search(r"\blong\b", asked, re.I) else 180, asked)
    if re.search(r"\b(?:markdown|table|formatting)\b", asked, re.I):
        return prose.MARKDOWN
    if failure := failures.requested_failure(asked):
        if failure.midway:
            return prose.story(60, asked)
        return f"It worked on attempt {failure.times + 1}."
    return prose.ABOUT


def _bounded(number: str) -> int:
    return max(1, min(int(number.replace(",", "")), _MAX_ECHO))


def _thoughts(asked: str) -> str:
    if re.search(r"\b(?:think|reason)\b", asked, re.I):
        return "No tool fits this message, so I will explain what I am and what I can do."
    return ""


async def _stream(request: ModelRequest, speed: float) -> AsyncIterator[ModelEvent]:
    asked, _ = _last_question(request.messages)
    failure = failures.due_failure(asked[:_MAX_READ], _digest(request.messages))
    tools = {tool["function"]["name"] for tool in request.tools}
    reply = reply_to(request.messages, tools)
    await asyncio.sleep(_FIRST_WORD_AFTER / speed)
    if failure and not failure.midway:
        raise failure.error()
    owed = 0.0
    for written, event in enumerate(_events(reply, _digest(request.messages)), 1):
        yield event
        if failure and written > _MIDWAY:
            raise failure.error()
        owed += 1 / _WORDS_PER_SECOND / speed
        await asyncio.sleep(owed if owed >= _SHORTEST_WAIT else 0)
        owed = 0.0 if owed >= _SHORTEST_WAIT else owed
    yield _usage(request.messages, reply)
    yield Finish("tool-calls" if reply.batch else "stop")


def _events(reply: Reply, digest: str) -> Iterator[ModelEvent]:
    yield from (ReasoningDelta(word) for word in _WORD.findall(reply.reasoning))
    words = _WORD.findall(reply.text)
    size = 1 + len(words) // _MAX_STREAM_LINES
    yield from (TextDelta("".join(words[start : start + size])) for start in range(0, len(words), size))
    for index, (tool, arguments) in enumerate(reply.batch):
        text = json.dumps(arguments, ensure_ascii=False)
        yield ToolCallDelta(index, f"call_{digest[:20]}_{index}", tool, "")
        for start in range(0, len(text), 12):
            yield ToolCallDelta(index, None, None, text[start : start + 12])


def _digest(messages: _Messages) -> str:
    return hashlib.sha256(json.dumps(messages, sort_keys=True, default=str).encode()).hexdigest()


def _usage(messages: _Messages, reply: Reply) -> Usage:
    """Return the usage, with words counted as tokens."""
    read = sum(len(_text(message.get("content")).split()) for message in messages)
    thought = len(reply.reasoning.split())
    written = len(reply.text.split()) + thought + sum(len(arguments) + 1 for _, arguments in reply.batch)
    return Usage(read, written, read + written, reasoning_tokens=thought)
