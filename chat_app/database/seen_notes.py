"""Notes of who or what was seen, from which rows are written once in a while: not every request is worth a write."""

from __future__ import annotations

import time
from collections.abc import Callable

SEEN_INTERVAL = 60.0
"""Seconds between two writes about the same name."""


class SeenNotes:
    """Names that were seen, with a text each.

    Args:
        clock: returns seconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._noted: dict[str, str] = {}
        self._taken: dict[str, float] = {}

    def note(self, name: str, text: str = "") -> None:
        """Note that a name is seen now, unless it was just taken."""
        if self._clock() - self._taken.get(name, 0.0) >= SEEN_INTERVAL:
            self._noted[name] = text

    def take(self) -> dict[str, str]:
        """Return the texts of the names that were noted since they were last taken."""
        noted, self._noted, now = self._noted, {}, self._clock()
        self._taken = {name: at for name, at in self._taken.items() if now - at < SEEN_INTERVAL}
        self._taken |= dict.fromkeys(noted, now)
        return noted
