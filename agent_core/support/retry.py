"""Decide whether to retry a failed attempt, and after which delay.

The arithmetic is tenacity's. A delay is stored as a wake-up row, so it outlives the process: the runner calls
`RetryPolicy.decide` once after each failed attempt and stores the result.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential, wait_fixed

from agent_core.errors import DeliveryError, ModelError, ValidationError, as_exception, words_of
from agent_core.support.argument_checks import check_takes, known_options, shown
from agent_core.support.logs import get_logger
from agent_core.support.plain_json import is_finite
from agent_core.support.settings import MAX_TIMEOUT

_log = get_logger(__name__)


_CLASSIFY_TIMEOUT = 10.0  # seconds that `classify` may take


@known_options
@dataclass(frozen=True)
class RetryPolicy:
    """Policy for retries: number of attempts and the delay between them.

    Args:
        max_attempts: total number of attempts, including the first.
        backoff: "exponential" (initial_delay * multiplier ** n) or "fixed" (initial_delay).
        initial_delay: seconds before the second attempt.
        multiplier: growth of the delay from one attempt to the next; at least 1.
        max_delay: maximum delay in seconds, including jitter.
        jitter: maximum fraction of the delay that is added at random, so that attempts that failed
            together are not repeated together.
        should_retry: called with each retryable error; False gives up.
        classify: called first, with each error: True retries, False gives up, seconds (or a timedelta) retry
            after that delay, None leaves the decision to the rest of the policy. Sync or async. `max_attempts`
            still applies. An exception is logged, and the rest of the policy decides.

    Raises:
        ValidationError: a value is out of its range.
    """

    max_attempts: int = 3
    backoff: Literal["exponential", "fixed"] = "exponential"
    initial_delay: float = 1.0
    multiplier: float = 2.0
    max_delay: float = 60.0
    jitter: float = 0.5
    should_retry: Callable[[BaseException], bool] | None = None
    classify: Callable[[Exception], Any] | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        _require(_within(self.max_attempts, 1) and self.max_attempts % 1 == 0, "max_attempts", "1, 2, 3 …")
        _require(self.backoff in ("exponential", "fixed"), "backoff", '"exponential" or "fixed"')
        _require(_within(self.initial_delay, 0), "initial_delay", "seconds, 0 or more")
        _require(_within(self.multiplier, 1), "multiplier", "1 or more")
        _require(_within(self.max_delay, 0), "max_delay", "seconds, 0 or more")
        _require(_within(self.jitter, 0, 1), "jitter", "between 0 and 1")
        for name in ("should_retry", "classify"):
            function = getattr(self, name)
            is_function = callable(function) and not isinstance(function, type)
            _require(function is None or is_function, name, "a function")
            check_takes(function, ("error",), f"{name} of a RetryPolicy")

    @classmethod
    def of(cls, value: RetryPolicy | bool | None) -> RetryPolicy | None:
        """Return the policy for a value of `retry=`: True is the default policy, False and None are none."""
        if value is None or value is False:
            return None
        if value is True:
            return cls()
        _require(isinstance(value, RetryPolicy), "retry", "True, False or a RetryPolicy")  # pyright: ignore[reportUnnecessaryIsInstance]
        return value

    async def decide(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up; `classify` decides first.

        Raises:
            ValidationError: `classify` returned an invalid value; the message includes the error's.
        """
        if self.classify is None or not isinstance(error, Exception) or attempt >= self.max_attempts:
            return self.delay(attempt, error)
        verdict = await self._verdict(self.classify, error)
        if verdict is None:
            return self.delay(attempt, error)
        if isinstance(verdict, bool):
            return self._after(attempt, error) if verdict else None
        seconds = verdict.total_seconds() if isinstance(verdict, timedelta) else verdict
        if not _within(seconds, 0, MAX_TIMEOUT):
            raise ValidationError(
                "classify of a RetryPolicy must return None, True, False or seconds from 0 to ten years, not "
                f"{shown(verdict)}. It was asked about: {words_of(error)}"
            )
        return float(seconds)

    async def _verdict(self, classify: Callable[[Exception], Any], error: Exception) -> Any:
        try:
            async with asyncio.timeout(_CLASSIFY_TIMEOUT):
                verdict = classify(error)
                return await verdict if inspect.isawaitable(verdict) else verdict
        except BaseException as raised:
            failure = as_exception(raised, "classify")
            _log.error("classify of a RetryPolicy failed; the rest of the policy decides.", exc_info=failure)
            return None

    def delay(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up, without `classify`.

        Args:
            attempt: number of attempts so far, at least 1.
            error: the error of the last attempt. A ModelError or DeliveryError that is not retryable, a
                ValidationError and a BaseException that is no Exception are final. `retry_after` is a lower
                bound, even above max_delay.
        """
        if stop_after_attempt(self.max_attempts)(_state(attempt)) or not self._is_retryable(error):
            return None
        return self._after(attempt, error)

    def _after(self, attempt: int, error: BaseException) -> float:
        wait = self._wait(_state(attempt))
        retry_after = error.retry_after if isinstance(error, ModelError | DeliveryError) else None
        return max(wait, retry_after or 0.0)

    def _wait(self, state: RetryCallState) -> float:
        if self.backoff == "fixed":
            base = wait_fixed(self.initial_delay)(state)
        else:
            base = wait_exponential(self.initial_delay, self.max_delay, self.multiplier)(state)
        return min(base * (1 + random.uniform(0, self.jitter)), self.max_delay)

    def _is_retryable(self, error: BaseException) -> bool:
        if not isinstance(error, Exception) or isinstance(error, ValidationError):
            return False
        if isinstance(error, ModelError | DeliveryError) and not error.retryable:
            return False
        if self.should_retry is None:
            return True
        try:
            return bool(self.should_retry(error))
        except Exception:
            _log.exception("should_retry failed; the error is not retried.")
            return False


def parse_retry_after(value: str | None, unit: float = 1.0) -> float | None:
    """Return the seconds of a Retry-After value: a number, or an HTTP date (RFC 9110, section 10.2.3).

    Args:
        unit: seconds that a number counts.
    """
    if value is None:
        return None
    try:
        return max(0.0, float(value) * unit)
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, IndexError):
        return None


def _state(attempt: int) -> RetryCallState:
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = attempt
    return state


def _within(value: object, low: float, high: float = math.inf) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return is_finite(value) and low <= value <= high


def _require(ok: bool, name: str, what: str) -> None:
    if not ok:
        raise ValidationError(f"{name} of a RetryPolicy must be {what}.")
