"""Time, as a value that tests can hold still.

Wall-clock seconds since the epoch are used wherever a moment is stored, because moments must mean
the same in another process; nothing durable is ever measured with a monotonic clock.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where the library takes the time from."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()


def as_datetime(seconds: float) -> datetime:
    """Turn seconds since the epoch into an aware UTC datetime."""
    return datetime.fromtimestamp(seconds, UTC)
