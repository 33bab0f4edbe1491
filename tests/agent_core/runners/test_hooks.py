"""Hooks: which steps, turns and failures they receive, and how `classify` decides about retries."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent_core import RetryPolicy, action_tool
from agent_core.domain.messages import CommittedMessage
from agent_core.errors import ModelError, ValidationError
from agent_core.llm import Finish, Usage
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import Tool
from tests.support.agents import agent_on, finished, tool_parts

BUSY = ModelError("Overloaded.", kind="provider_5xx", retryable=True)
DENIED = ModelError("No key.", kind="auth")
SLOW = RetryPolicy(max_attempts=3, initial_delay=60, jitter=0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agents.db"


@action_tool
def look(city: str) -> str:
    """Look outside."""
    return f"Sun in {city}"


async def test_completion_hooks_get_why_a_step_ended_and_what_it_used(path: Path):
    told: list[tuple[str, CommittedMessage, Usage | None]] = []
    turns: list[CommittedMessage] = []
    first, second = Usage(50, 5, 55, cached_tokens=40), Usage(60, 6, 66)
    script = [
        [ToolUse("look", {"city": "Rome"}), first],
        ["It is sunny.", second, Finish("length")],
    ]
    async with agent_on(
        path,
        script,
        tools=[look],
        on_message_complete=lambda *given: told.append(given),
        on_turn_complete=lambda _, message: turns.append(message),
    ) as api:
        thread = await finished(api, await api.create_thread("How is it?"))
        await eventually(lambda: turns)
        assert [(given[0], given[1].finish_reason, given[2]) for given in told] == [
            (thread.id, "tool-calls", first),
            (thread.id, "length", second),
        ]
        assert turns[0].finish_reason == "length"
        assert turns[0].usage is not None
        assert (turns[0].usage["total_tokens"], turns[0].usage["cached_tokens"]) == (121, 40)
        assert turns[0].provider_metadata == {}
        read = (await api.list_messages(thread.id))[-1]
        assert turns[0].to_dict() == read.to_dict()  # readers get the same message


@pytest.mark.sqlite  # writes the same rows as any failure
@pytest.mark.parametrize(("script", "attempt"), [([[BUSY], [BUSY], [BUSY]], 3), ([[BUSY], [DENIED]], 2)])
async def test_on_error_says_which_attempt_failed(path: Path, script: list[Any], attempt: int):
    failures: list[Any] = []
    async with agent_on(path, script, on_error=lambda _, error: failures.append(error)) as api:
        await finished(api, await api.create_thread("Hello"))
        await eventually(lambda: failures)
    assert [(error.attempt, error.max_attempts) for error in failures] == [(attempt, 3)]


async def test_on_error_says_which_attempt_failed_with_any_exception(path: Path):
    failures: list[Any] = []

    def broken(messages: list[Any]) -> Any:
        raise KeyError("tone")

    async with agent_on(
        path, [], transform_messages=broken, on_error=lambda _, error: failures.append(error)
    ) as api:
        await finished(api, await api.create_thread("Hello"))
        await eventually(lambda: failures)
    assert (failures[0].attempt, failures[0].max_attempts) == (1, 3)


def policy(verdict: Any, **options: Any) -> RetryPolicy:
    def classify(error: Exception) -> Any:
        if isinstance(verdict, BaseException):
            raise verdict
        return verdict

    return RetryPolicy(
        **{"max_attempts": 3, "initial_delay": 2, "jitter": 0, "classify": classify, **options}
    )


@pytest.mark.parametrize(
    ("verdict", "error", "delay"),
    [
        (None, BUSY, 2.0),
        (None, DENIED, None),
        (True, DENIED, 2.0),
        (True, ValidationError("x"), 2.0),
        (False, BUSY, None),
        (0, DENIED, 0.0),
        (7, BUSY, 7.0),
        (0.25, BUSY, 0.25),
        (timedelta(minutes=2), BUSY, 120.0),
        (RuntimeError("oh"), BUSY, 2.0),
        (RuntimeError("oh"), DENIED, None),
        (SystemExit(1), BUSY, 2.0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("is_async", [False, True])
async def test_classify_decides_before_the_policy(
    verdict: Any, error: Exception, delay: float | None, is_async: bool
):
    asked = policy(verdict)
    if is_async:
        sync: Callable[[Exception], Any] = asked.classify or (lambda _: None)

        async def classify(error: Exception) -> Any:
            await asyncio.sleep(0)
            return sync(error)

        asked = policy(None, classify=classify)
    assert await asked.decide(1, error) == delay
    assert await asked.decide(3, error) is None  # no retry follows the last attempt
    assert await asked.decide(1, asyncio.CancelledError()) is None


@pytest.mark.parametrize(
    "verdict", ["soon", -1, math.nan, math.inf, 1e12, [], {"retry": True}, timedelta(-1)], ids=repr
)
async def test_classify_that_returns_nonsense_is_named_with_the_words_of_the_error(verdict: Any):
    with pytest.raises(
        ValidationError, match=r"classify .* must return None, True, False or seconds .*Overloaded"
    ):
        await policy(verdict).decide(1, BUSY)


async def test_classify_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("agent_core.support.retry._CLASSIFY_TIMEOUT", 0.01)

    async def classify(_: Exception) -> None:
        await asyncio.Event().wait()

    assert await policy(None, classify=classify).decide(1, BUSY) == 2.0


def test_classify_is_a_function():
    with pytest.raises(ValidationError, match="classify of a RetryPolicy must be a function"):
        RetryPolicy(classify="later")  # pyright: ignore[reportArgumentType]


async def test_a_turn_goes_on_where_classify_says_so_and_hears_the_attempt(path: Path):
    heard: list[Any] = []

    async def classify(error: Any) -> Any:
        heard.append((str(error), error.kind, error.attempt, error.max_attempts))
        return 0

    async with agent_on(
        path, [[DENIED], ["Hello."]], retry=RetryPolicy(max_attempts=4, classify=classify)
    ) as api:
        thread = await finished(api, await api.create_thread("Hello"))
    assert thread.status == "completed"
    assert heard == [("No key.", "auth", 1, 4)]


@pytest.mark.sqlite  # writes the same rows as any failure
@pytest.mark.parametrize(
    ("verdict", "words"), [(False, "^Overloaded[.]$"), ("soon", "classify .*'soon'.*Overloaded")]
)
async def test_a_turn_ends_where_classify_says_so_or_says_nothing_sensible(
    path: Path, verdict: Any, words: str
):
    async with agent_on(path, [[BUSY], ["Hello."]], retry=RetryPolicy(classify=lambda _: verdict)) as api:
        thread = await finished(api, await api.create_thread("Hello"))
    assert thread.status == "failed"
    assert re.search(words, thread.error or "")


@pytest.mark.sqlite  # writes the same rows as any failure
@pytest.mark.parametrize(
    ("verdict", "state"),
    [
        (0, "output-available"),
        (False, "output-error"),
        ("soon", "output-error"),
        (RuntimeError(), "output-available"),
    ],
)
async def test_classify_decides_about_tools_too(path: Path, verdict: Any, state: str):
    attempts: list[Any] = []

    def classify(error: Any) -> Any:
        attempts.append((error.attempt, error.max_attempts))
        if isinstance(verdict, Exception):
            raise verdict
        return verdict

    async def flaky() -> str:
        """Fail once."""
        if not attempts:
            raise KeyError("tide")
        return "calm"

    retry = RetryPolicy(max_attempts=2, initial_delay=0, jitter=0, classify=classify)
    tool: Tool = action_tool(retry=retry)(flaky)
    model = ScriptedModel([[ToolUse("flaky")], ["Done."]])
    async with agent_on(path, model, tools=[tool]) as api:
        thread = await finished(api, await api.create_thread("Look"))
        [part] = await tool_parts(api, thread)
    assert (thread.status, part["state"], attempts) == ("completed", state, [(1, 2)])
    if verdict == "soon":
        assert "must return None, True, False or seconds" in part["errorText"]
