"""Retry policies: whether to retry, and after how long."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.errors import ModelError, ValidationError
from agent_core.support.retry import RetryPolicy

PLAIN = RetryPolicy(max_attempts=5, jitter=0)
OVERLOADED = ModelError("Overloaded", kind="provider_5xx", retryable=True)


@pytest.mark.parametrize(
    ("policy", "attempt", "delay"),
    [
        (PLAIN, 1, 1.0),
        (PLAIN, 2, 2.0),
        (PLAIN, 4, 8.0),
        (PLAIN, 5, None),
        (PLAIN, 6, None),
        (RetryPolicy(max_attempts=1), 1, None),
        (RetryPolicy(backoff="fixed", initial_delay=0.5, jitter=0), 2, 0.5),
        (RetryPolicy(initial_delay=0, jitter=0), 2, 0.0),
        (RetryPolicy(max_attempts=99, max_delay=10, jitter=0), 50, 10.0),
        (RetryPolicy(max_attempts=10**9, jitter=0), 10**8, 60.0),
        (RetryPolicy(multiplier=3, initial_delay=2, jitter=0, max_attempts=4), 3, 18.0),
    ],
)
def test_the_wait_after_each_attempt(policy: RetryPolicy, attempt: int, delay: float | None):
    assert policy.delay(attempt, RuntimeError("no")) == delay


@given(st.integers(1, 9), st.floats(0, 1), st.floats(0, 100))
def test_jitter_only_adds_and_stays_below_the_longest_wait(attempt: int, jitter: float, longest: float):
    policy = RetryPolicy(max_attempts=10, jitter=jitter, max_delay=longest)
    base = min(2.0 ** (attempt - 1), longest)
    delay = policy.delay(attempt, RuntimeError())
    assert delay is not None
    assert base <= delay <= min(base * (1 + jitter), longest) or math.isclose(delay, base)


def test_many_that_failed_together_do_not_come_back_together():
    assert len({RetryPolicy().delay(1, RuntimeError()) for _ in range(20)}) > 10


@pytest.mark.parametrize(
    ("error", "retried"),
    [
        (OVERLOADED, True),
        (ModelError("Too long", kind="context_window_exceeded"), False),
        (ModelError("No key", kind="auth"), False),
        (RuntimeError("x"), True),
        (TimeoutError("x"), True),
        (ValidationError("x"), False),
        (asyncio.CancelledError(), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_which_errors_are_worth_another_attempt(error: BaseException, retried: bool):
    assert (RetryPolicy().delay(1, error) is not None) == retried


@pytest.mark.parametrize(("retry_after", "delay"), [(None, 1.0), (0.2, 1.0), (7.0, 7.0), (600.0, 600.0)])
def test_retry_waits_as_long_as_the_provider_asks(retry_after: float | None, delay: float):
    error = ModelError("Slow down", kind="rate_limited", retryable=True, retry_after=retry_after)
    assert PLAIN.delay(1, error) == delay


def test_should_retry_decides_among_what_is_retryable():
    asked: list[BaseException] = []

    def only_timeouts(error: BaseException) -> bool:
        asked.append(error)
        return isinstance(error, TimeoutError)

    policy = RetryPolicy(should_retry=only_timeouts)
    assert policy.delay(1, TimeoutError()) is not None
    assert policy.delay(1, RuntimeError()) is None
    assert policy.delay(1, ModelError("No key", kind="auth")) is None
    assert len(asked) == 2


def test_a_should_retry_that_fails_gives_up(caplog: pytest.LogCaptureFixture):
    def broken(error: BaseException) -> bool:
        raise KeyError("oops")

    assert RetryPolicy(should_retry=broken).delay(1, RuntimeError()) is None
    assert "should_retry failed" in caplog.text


@pytest.mark.parametrize(
    "values",
    [
        {"max_attempts": 0},
        {"max_attempts": 1.5},
        {"max_attempts": "3"},
        {"backoff": "linear"},
        {"initial_delay": -1},
        {"initial_delay": math.nan},
        {"max_delay": 10**400},
        {"multiplier": 0.5},
        {"max_delay": math.inf},
        {"jitter": 2},
        {"should_retry": True},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(values: dict[str, Any]):
    with pytest.raises(ValidationError, match=f"^{next(iter(values))} of a RetryPolicy must be"):
        RetryPolicy(**values)


def test_retry_option_becomes_a_policy():
    policy = RetryPolicy(max_attempts=7)
    assert RetryPolicy.of(True) == RetryPolicy()
    assert RetryPolicy.of(policy) is policy
    assert RetryPolicy.of(None) is None
    assert RetryPolicy.of(False) is None
    with pytest.raises(ValidationError, match="retry of a RetryPolicy must be"):
        RetryPolicy.of(3)  # type: ignore[arg-type]
