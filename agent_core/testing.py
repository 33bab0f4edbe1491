"""Provide test helpers for agents: a scripted model, a fake clock, and `eventually`.

`ScriptedModel` is a regular model adapter, so its answers take the same path as those of a provider.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast, overload

from agent_core.domain.model_adapter import (
    Finish,
    HostedCall,
    HostedResult,
    ModelEvent,
    ModelRequest,
    ReasoningDelta,
    Source,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from agent_core.errors import ModelError
from agent_core.support.ids import new_id

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Tool call in a scripted turn.

    Attributes:
        name: name of the tool.
        args: arguments; a str is sent unchanged, so that a test can send invalid JSON.
        id: id of the call; a new one by default.
    """

    name: str
    args: dict[str, Any] | str = field(default_factory=dict[str, Any])
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Reasoning in a scripted turn."""

    text: str


Item = str | float | ToolUse | Reasoning | HostedCall | HostedResult | Source | Usage | Finish | Exception
Turn = Iterable[Item]
Messages = list[dict[str, Any]]


class ScriptedModel:
    """Model adapter that answers each request with the next turn of its script.

    Args:
        turns: a list of turns, or a sync or async callable from the request's messages to a turn. A turn is a
            list of `str` (a text delta), `float` (seconds to wait), `ToolUse`, `Reasoning`, `HostedCall`,
            `HostedResult`, `Source`, `Usage`, `Finish` (another reason than the usual one), or an `Exception`
            (raised there).
        name: name of the model.

    Attributes:
        requests: the messages of each request so far, in the provider's form.
        violations: errors of requests whose calls and outcomes were not paired.

    The adapter is safe to use from several threads and event loops: each request takes one turn. With
    several agent threads the order of requests is not deterministic, so pass a callable.
    """

    def __init__(
        self, turns: Iterable[Turn] | Callable[[Messages], Turn | Awaitable[Turn]], *, name: str = "scripted"
    ) -> None:
        self.name = name
        self.requests: list[Messages] = []
        self.violations: list[AssertionError] = []
        self._answer = turns if callable(turns) else None
        self._turns = iter([] if callable(turns) else list(turns))
        self._lock = threading.Lock()

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the next turn's events, and a `Finish` when it ends normally.

        Raises:
            ModelError: the turn has an exception, the script has no turn left, or the request's
                tool calls and outcomes are not paired (kind "invalid_request").
        """
        messages = [dict(message) for message in request.messages]
        self._check(messages)
        turn = await self._next(messages)
        calls, finish = 0, None
        for item in turn:
            if isinstance(item, str):
                yield TextDelta(item)
            elif isinstance(item, int | float):
                await asyncio.sleep(item)
            elif isinstance(item, ToolUse):
                for event in _call_events(item, calls):
                    yield event
                calls += 1
            elif isinstance(item, Finish):
                finish = item
            else:
                yield _event(item)
        yield finish or Finish("tool-calls" if calls else "stop")

    def _check(self, messages: Messages) -> None:
        with self._lock:
            self.requests.append(messages)
        try:
            check_pairing(messages)
        except AssertionError as error:
            self.violations.append(error)
            raise ModelError(f"The request is malformed: {error}", kind="invalid_request") from error

    async def _next(self, messages: Messages) -> Turn:
        if self._answer is not None:
            turn = self._answer(messages)
            return await turn if inspect.isawaitable(turn) else turn
        with self._lock:
            turn = next(self._turns, None)
            asked = len(self.requests)
        if turn is None:
            raise ModelError(f"The script has no turn for request {asked}.", kind="invalid_request")
        return turn


def _call_events(use: ToolUse, index: int) -> list[ModelEvent]:
    arguments = use.args if isinstance(use.args, str) else json.dumps(use.args)
    return [
        ToolCallDelta(index, use.id or new_id("call"), use.name, ""),
        ToolCallDelta(index, None, None, arguments),
    ]


def _event(item: Item) -> ModelEvent:
    if isinstance(item, Reasoning):
        return ReasoningDelta(item.text)
    if isinstance(item, HostedCall | HostedResult | Source | Usage):
        return item
    if isinstance(item, ModelError):
        raise item
    if isinstance(item, Exception):
        raise ModelError(str(item) or type(item).__name__) from item
    raise ModelError(f"A scripted turn cannot hold a {type(item).__name__}.", kind="invalid_request")


def check_pairing(messages: Messages) -> None:
    """Check the pairing of calls and outcomes in a request as a strict provider does.

    Every assistant message with tool calls must be followed immediately by exactly one outcome for each
    call, and outcomes are not allowed anywhere else.

    Raises:
        AssertionError: a message breaks the rule; the error says which.
    """
    open_calls: set[str] = set()
    for place, message in enumerate(messages):
        role = message.get("role")
        if role == "tool":
            answered = message.get("tool_call_id")
            assert answered in open_calls, f"message {place} answers {answered!r}, which is not open"
            open_calls.discard(answered)
            continue
        assert not open_calls, f"message {place} comes before the outcome of {sorted(open_calls)}"
        if role == "assistant":
            open_calls = _opened(message, place)
    assert not open_calls, f"the request ends without the outcome of {sorted(open_calls)}"


def _opened(message: dict[str, Any], place: int) -> set[str]:
    calls = cast("list[dict[str, Any]]", message.get("tool_calls") or [])
    assert calls or message.get("content") or message.get("images"), f"message {place} is empty"
    ids: set[str] = {call["id"] for call in calls}
    assert len(ids) == len(calls), f"message {place} calls twice with one id"
    return ids


class FakeClock:
    """Clock that only moves by `advance`; a database server's clock does not correct it."""

    is_fake = True

    def __init__(self, now: float = 1_750_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        """Return the current fake time in seconds since the Unix epoch."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Advance the clock by some seconds."""
        self._now += seconds


@overload
async def eventually(predicate: Callable[[], Awaitable[T]], timeout: float = 20.0) -> T: ...


@overload
async def eventually(predicate: Callable[[], T], timeout: float = 20.0) -> T: ...


async def eventually(predicate: Callable[[], Any], timeout: float = 20.0) -> Any:
    """Wait until a sync or async predicate returns a truthy value, and return that value.

    A long timeout costs time only if a test fails, so the default suits a busy machine.

    Raises:
        AssertionError: no truthy value within `timeout` seconds; the message has the last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"Not true within {timeout} s: {value!r}")
        await asyncio.sleep(0.01)
