"""Provide the time through a clock that tests can replace.

Stored moments are wall-clock seconds since the epoch, because they must mean the same in another process;
nothing durable uses a monotonic clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Source of the current time.

    Beside a database server it is corrected by the server's clock, unless it has a true attribute `is_fake`.
    """

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()


def as_datetime(seconds: float) -> datetime:
    """Return seconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
