"""The durations and limits of the runtime, in one place.

All durations are in seconds. Tests shorten them; nothing else should need to.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from agent_core.errors import ValidationError
from agent_core.support.argument_checks import check_fields


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient the runtime is.

    Attributes:
        lease: how long a wake-up stays with a worker that gives no sign of life.
        heartbeat: how often a worker extends its leases (a small fraction of `lease`).
        poll: how often the scheduler looks for due wake-ups at the latest.
        watch: how often another process's commits are looked for (SQLite's data_version).
        pulse: how often running work is checked against its fence, for stops from elsewhere, and
            the workers of this machine for being alive.
        reconcile: how often running threads without a wake-up are looked for.
        stall: how long the event loop may not answer before the log says who blocks it.
        max_crashes: a step or tool call that killed its process this often, as the only suspect that
            ran there and by its own code, is sealed; see `agent_core.domain.suspects`.
        probation: how long a worker must have lived before it runs one that was charged twice.
        keep_deltas: how long the deltas of an idle thread are kept for slow readers.
        recheck: how long a follower reads on before the `authorization_callback` is asked again.
        synchronous: SQLite's `synchronous` pragma, NORMAL or FULL.
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

    def __post_init__(self) -> None:
        """Check every field."""
        check_fields(self)
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, str) and value < 0:
                raise ValidationError(f"{field.name} of Settings must not be negative.")


MAX_RESULT_BYTES = 1 << 20
"""The longest tool result, in bytes of JSON."""

MAX_PROMPT_CHARS = 4_000_000
"""The longest prompt, in characters; far above any model's context, far below what hurts a page."""

MAX_TIMEOUT = 10 * 365 * 86_400.0
"""The longest timeout of an async tool call, in seconds: ten years, and as good as none."""
