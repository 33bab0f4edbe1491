"""Provide the default context policy, which omits the oldest turns."""

from __future__ import annotations

from dataclasses import dataclass

from agent_core.context.fit import check_shares, fit_request
from agent_core.context.policy import ContextRequest, ContextResult


@dataclass(frozen=True, slots=True)
class TrimOldest:
    """Policy that omits the oldest turns of a thread that exceeds the model's window.

    The system prompt and the newest turn always stay. If that turn alone is too long, its tool
    outcomes are shortened, oldest first. If that is not enough, the turn fails with a `ModelError`
    of the kind context_window_exceeded, without a retry.

    Args:
        keep: share of the window to which a thread that is too long is cut, so that the cut stays
            in place for a while, for the caches of providers.
        max_tokens: maximum size of a request, including system prompt and tools. By default the
            model's window, less room for the answer; if the window is unknown, there is no limit.

    Raises:
        ValidationError: an argument is out of range.
    """

    keep: float = 0.7
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        check_shares(self.keep, self.max_tokens)

    async def __call__(self, request: ContextRequest, /) -> ContextResult:
        """Return the part of a request that fits."""
        return await fit_request(request, keep=self.keep, max_tokens=self.max_tokens)
