"""Notice whether a database has limits or budgets, so that no step pays for them if it has none."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from agent_core.errors import AgentCoreError
from agent_core.hooks import Hooks
from agent_core.store.database.sql import LIMITS_FEED
from agent_core.store.limits import rules
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_CHECK_INTERVAL = 1.0  # seconds; SQLite does not say what another process has written


class LimitsInUse:
    """Whether the steps of this process are weighed and counted: once there was any limit or budget.

    Args:
        read: reads the database.
        hooks: runs the checks in the background.
    """

    def __init__(self, read: Callable[..., Awaitable[Any]], hooks: Hooks) -> None:
        self.active = False
        self._read = read
        self._hooks = hooks
        self._timer: asyncio.TimerHandle | None = None

    async def check(self) -> None:
        """Look whether there is any limit or budget."""
        self._timer = None
        try:
            self.active = self.active or await self._read(rules.exist)
        except AgentCoreError as error:  # the next change makes another check
            _log.warning("The database could not be asked for limits and budgets: %s", error)

    def on_foreign_commit(self, touched: Collection[str] | None) -> None:
        """Check soon, because another process has committed to these feeds (None: to any)."""
        if self.active or self._timer is not None or not (touched is None or LIMITS_FEED in touched):
            return
        delay = _CHECK_INTERVAL if touched is None else 0.0
        self._timer = asyncio.get_running_loop().call_later(delay, self._hooks.soon, "limits", self.check)

    def close(self) -> None:
        """Make no further check."""
        if self._timer is not None:
            self._timer.cancel()
