"""Keep the time of a database server, so that the clocks of the machines that share it need not agree."""

from __future__ import annotations

import time
from collections.abc import Callable

from agent_core.support.clock import Clock

_INTERVAL = 2.0  # seconds between measurements
_MAX_STEP = 0.5  # seconds by which a clock may differ from the monotonic one before it counts as set


class ServerClock:
    """A server's clock: this machine's clock and its measured offset.

    Leases, retries and takeovers compare moments that several machines have written, so all of them use the clock
    of the server. The offset is measured when a connection is made and every few seconds, not in each transaction.

    Args:
        machine: this machine's clock.
    """

    def __init__(self, machine: Clock) -> None:
        self._machine = machine
        self._offset = 0.0
        self._measured_at = float("-inf")  # monotonic seconds
        self._lead = 0.0  # of the machine's clock over the monotonic one, at the last measurement

    def now(self) -> float:
        """Return seconds since the Unix epoch, by the server's clock."""
        return self._machine.now() + self._offset

    @property
    def is_due(self) -> bool:
        """Whether the offset should be measured again."""
        return time.monotonic() - self._measured_at >= _INTERVAL or self.is_doubtful

    @property
    def is_doubtful(self) -> bool:
        """Whether the machine's clock was set, or the machine slept, since the last measurement."""
        return abs(self._machine.now() - time.monotonic() - self._lead) > _MAX_STEP

    def measure(self, ask: Callable[[], float]) -> None:
        """Measure the offset; `ask` asks the server for its time."""
        began = self._machine.now()
        server = ask()
        ended = self._machine.now()
        offset, error = server - (began + ended) / 2, abs(ended - began) / 2
        if abs(offset - self._offset) > error:  # else the known offset fits, too: time must not jitter
            self._offset = offset
        self._measured_at = time.monotonic()
        self._lead = ended - self._measured_at
