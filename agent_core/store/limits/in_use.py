"""Notice whether a database has limits or budgets, so that no step pays for them if it has none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any

from agent_core.errors import AgentCoreError
from agent_core.hooks import Hooks
from agent_core.store.database.feed_check import FeedCheck
from agent_core.store.database.sql import LIMITS_FEED
from agent_core.store.limits import rules
from agent_core.support.logs import get_logger

_log = get_logger(__name__)


class LimitsInUse:
    """Whether the steps of this process are weighed and counted: once there was any limit or budget.

    Args:
        read: reads the database.
        hooks: runs the checks in the background.
    """

    def __init__(self, read: Callable[..., Awaitable[Any]], hooks: Hooks) -> None:
        self.active = False
        self._read = read
        self._feed = FeedCheck(LIMITS_FEED, self.check, hooks)

    async def check(self) -> None:
        """Look whether there is any limit or budget."""
        try:
            self.active = self.active or await self._read(rules.exist)
        except AgentCoreError as error:  # the next change makes another check
            _log.warning("The database could not be asked for limits and budgets: %s", error)

    def on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Check soon, because another process has committed to these feeds (None: to any)."""
        if not self.active:
            self._feed.on_foreign_commit(touched)

    def close(self) -> None:
        """Make no further check."""
        self._feed.close()
