"""When to try again, and after how long. tenacity holds the arithmetic; nobody here sleeps.

A wait is a wake-up row, so it outlives the process: the runner asks `RetryPolicy.delay` once after
each failed attempt and writes down the answer.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tenacity import RetryCallState, Retrying, stop_after_attempt, wait_exponential, wait_fixed

from agent_core.errors import ModelError, ValidationError
from agent_core.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True)
class RetryPolicy:
    """How often a failed attempt is repeated, and how long to wait before each.

    Args:
        max_attempts: attempts in all, the first one included.
        backoff: "exponential" (initial_delay * multiplier ** n) or "fixed" (initial_delay).
        initial_delay: seconds before the second attempt.
        multiplier: growth of the wait from one attempt to the next; at least 1.
        max_delay: the longest wait in seconds, jitter included.
        jitter: up to this fraction of the wait is added at random, so that many that failed
            together do not come back together.
        should_retry: asked about each error that is retryable at all; False gives up.

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

    def __post_init__(self) -> None:
        """Check every value once, where the mistake was made."""
        _require(_within(self.max_attempts, 1) and self.max_attempts % 1 == 0, "max_attempts", "1, 2, 3 …")
        _require(self.backoff in ("exponential", "fixed"), "backoff", '"exponential" or "fixed"')
        _require(_within(self.initial_delay, 0), "initial_delay", "seconds, 0 or more")
        _require(_within(self.multiplier, 1), "multiplier", "1 or more")
        _require(_within(self.max_delay, 0), "max_delay", "seconds, 0 or more")
        _require(_within(self.jitter, 0, 1), "jitter", "between 0 and 1")
        _require(self.should_retry is None or callable(self.should_retry), "should_retry", "a function")

    @classmethod
    def of(cls, value: RetryPolicy | bool | None) -> RetryPolicy | None:
        """Return the policy that `retry=` means: True is the default one, False and None are none."""
        if value is None or value is False:
            return None
        if value is True:
            return cls()
        _require(isinstance(value, RetryPolicy), "retry", "True, False or a RetryPolicy")  # pyright: ignore[reportUnnecessaryIsInstance]
        return value

    def delay(self, attempt: int, error: BaseException) -> float | None:
        """Return the seconds to wait before the next attempt, or None to give up.

        Args:
            attempt: how many attempts were made, 1 or more.
            error: what the last of them raised. A ModelError that is not retryable, a
                ValidationError and what is no Exception are final. A `retry_after` is a lower bound,
                also above max_delay.
        """
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        if stop_after_attempt(self.max_attempts)(state) or not self._is_retryable(error):
            return None
        wait = self._wait(state)
        retry_after = getattr(error, "retry_after", None) if isinstance(error, ModelError) else None
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
        if isinstance(error, ModelError) and not error.retryable:
            return False
        if self.should_retry is None:
            return True
        try:
            return bool(self.should_retry(error))
        except Exception:
            _log.exception("should_retry failed; the error is not retried.")
            return False


def _within(value: object, low: float, high: float = math.inf) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and low <= value <= high


def _require(ok: bool, name: str, what: str) -> None:
    if not ok:
        raise ValidationError(f"{name} of a RetryPolicy must be {what}.")
