"""The policy that agents have by default: the oldest turns are left out."""

from __future__ import annotations

from dataclasses import dataclass

from agent_core.context.fit import check_shares, fit
from agent_core.context.policy import ContextRequest, ContextResult


@dataclass(frozen=True, slots=True)
class TrimOldest:
    """Leaves out the oldest turns of a thread that has outgrown its model.

    The system prompt and the newest turn always stay. If that turn alone is too long, outcomes of its
    tools are shortened, the oldest first. If even that does not help the turn fails with a `ModelError`
    of the kind context_window_exceeded, and is not tried again.

    Args:
        keep: once the thread is too long it is cut to this share of the window, so that the cut stays
            where it is for a while; providers cache what stays the same.
        max_tokens: the most a request may have, system prompt and tools included. Without it the
            model's window counts, less room for the answer; a model that does not know its window
            then has no limit.

    Raises:
        ValidationError: an argument is out of range.
    """

    keep: float = 0.7
    max_tokens: int | None = None

    def __post_init__(self) -> None:
        check_shares(self.keep, self.max_tokens)

    async def __call__(self, request: ContextRequest, /) -> ContextResult:
        """Return what fits of a request."""
        return await fit(request, keep=self.keep, max_tokens=self.max_tokens)
