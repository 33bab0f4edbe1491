"""Define the durations and limits of the runtime.

All durations are in seconds. The defaults suit production; tests shorten them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_fields, known_options


@known_options
@dataclass(frozen=True, slots=True)
class Settings:
    """Durations and limits of the runtime.

    Attributes:
        lease: time after which other workers may take a wake-up whose lease was not renewed.
        heartbeat: interval at which a worker renews its leases (a small fraction of `lease`).
        poll: maximum interval at which the scheduler looks for due wake-ups.
        watch: interval of checks for commits of other processes (SQLite's data_version).
        pulse: interval of checks of running work against its fencing token, for stops by other processes,
            and of the other workers on this machine for being alive.
        reconcile: interval of checks for running threads without a wake-up.
        stall: time that the event loop may be blocked before the log shows by what.
        max_crashes: number of charges at which a step or tool call is sealed: crashes of its process as the only
            suspect and by its own code; see `agent_core.domain.wake_ups.suspects`.
        probation: uptime that a worker needs before it runs work that was charged twice.
        keep_deltas: how long the deltas of an idle thread are kept for slow readers.
        recheck: interval at which `authorization_callback` is called again for a subscriber.
        synchronous: SQLite's `synchronous` pragma, NORMAL or FULL.
        delete_after: time without activity after which a thread is deleted; None: never. Agents may have their own.
            `Runtime(delete_after=…)` sets it.
    """

    lease: float = 8.0
    heartbeat: float = 2.0
    poll: float = 1.0
    watch: float = 0.02
    pulse: float = 0.25
    reconcile: float = 1.0
    stall: float = 2.0
    max_crashes: int = 3
    probation: float = 3.0
    keep_deltas: float = 300.0
    recheck: float = 5.0
    synchronous: str = "NORMAL"
    delete_after: float | None = None

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not value >= 0:
                raise ValidationError(f"{field.name} of Settings must not be negative.")


MAX_TIMEOUT = 10 * 365 * 86_400.0
"""Maximum timeout of an async tool call, in seconds: ten years."""
