"""Check something again soon after another process has committed to a feed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection

from agent_core.hooks import Hooks

_INTERVAL = 1.0  # seconds; SQLite does not say what another process has written


class FeedCheck:
    """Runs `check` in the background after commits to `feed`, at most once at a time."""

    def __init__(self, feed: str, check: Callable[[], Awaitable[None]], hooks: Hooks) -> None:
        self._feed = feed
        self._check = check
        self._hooks = hooks
        self._timer: asyncio.TimerHandle | None = None

    def on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Check soon, because another process has committed to these feeds (None: to any)."""
        if self._timer is None and (touched is None or self._feed in touched):
            delay = _INTERVAL if touched is None else 0.0
            self._timer = asyncio.get_running_loop().call_later(delay, self._start)

    def _start(self) -> None:
        self._timer = None
        self._hooks.soon(self._feed, self._check)

    def close(self) -> None:
        """Make no further check."""
        if self._timer is not None:
            self._timer.cancel()
