"""Failures on request: "fail with 429 twice", "fail with 503 midway", "fail hard".

Messages do not record how often a request has failed, so this module counts failures by request; a restart
resets the counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from agent_core.errors import ModelError, ModelErrorKind

_WANTED = re.compile(
    r"\bfail(?:ure)?\s+(?:with\s+(?:an?\s+)?)?(?:(?P<hard>hard)|(?P<status>[45]\d\d))"
    r"(?P<midway>\s+(?:midway|mid-answer|in the middle))?"
    r"(?:\s+(?P<times>once|twice|thrice|\d+\s*(?:times|x)))?",
    re.I,
)
_TIMES = {"once": 1, "twice": 2, "thrice": 3}
_KINDS: dict[int, ModelErrorKind] = {401: "auth", 403: "auth", 402: "insufficient_credits", 408: "network"}
_WORDS = {
    401: "Incorrect API key provided",
    429: "Rate limit reached for the demo model",
    500: "The demo model had an internal error",
    503: "The demo model is overloaded",
}
_REMEMBERED = 1000

_failed: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class _Failure:
    """Requested failure: its HTTP status, how often it happens, and whether it follows the first words."""

    status: int
    times: int
    midway: bool

    def error(self) -> ModelError:
        """Return the error for a provider's response with this status."""
        kind = _KINDS.get(self.status) or _kind(self.status)
        words = _WORDS.get(self.status, f"The demo model answers with status {self.status}")
        return ModelError(
            f"{words}, as you asked.",
            kind=kind,
            retryable=kind in ("network", "rate_limited", "provider_5xx"),
            retry_after=1.0 if self.status == 429 else None,
            status=self.status,
        )


def requested_failure(asked: str) -> _Failure | None:
    """Return the failure that a message requests; None if it requests none."""
    found = _WANTED.search(asked)
    if not found:
        return None
    status = 401 if found["hard"] else int(found["status"])
    times = (found["times"] or "once").lower()
    count = 10**6 if found["hard"] else _TIMES.get(times) or int(re.sub(r"\D", "", times))
    return _Failure(status, count, midway=bool(found["midway"]))


def due_failure(asked: str, request: str) -> _Failure | None:
    """Count and return the failure if the request has not yet failed as often as the user asked; else None.

    Args:
        asked: the user's message.
        request: a key of the request.
    """
    failure = requested_failure(asked)
    if failure is None or _failed.get(request, 0) >= failure.times:
        _failed.pop(request, None)
        return None
    while len(_failed) >= _REMEMBERED:
        _failed.pop(next(iter(_failed)))
    _failed[request] = _failed.get(request, 0) + 1
    return failure


def _kind(status: int) -> ModelErrorKind:
    if status == 429:
        return "rate_limited"
    return "provider_5xx" if status >= 500 else "invalid_request"
