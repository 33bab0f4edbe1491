"""Define named crash points at which tests end the process.

In production `crash_point` is one dictionary look-up in an empty dictionary. A test installs an
action for a name (raise, `os._exit`, SIGKILL) and so dies at exactly that point.
"""

from __future__ import annotations

from collections.abc import Callable

CRASH_POINTS = (
    "claim.before",
    "claim.after",
    "delta.before",
    "delta.after",
    "commit.before",
    "commit.inside",
    "commit.after",
    "tool.claimed",
    "tool.ran",
    "tool.commit.inside",
    "tool.commit.after",
    "retry.commit.after",
    "send.inside",
    "send.after",
)
"""Crash points of a turn, in order."""

SCHEDULE_POINTS = ("schedule.taken", "schedule.inside", "schedule.after")
"""Crash points of a schedule's run, before those of the turn that it starts."""

OUTBOX_POINTS = ("outbox.claim.inside", "outbox.claimed", "outbox.received", "outbox.delivered.inside")
"""Crash points of the delivery of an event, in order."""

_actions: dict[str, Callable[[], None]] = {}


def crash_point(name: str) -> None:
    """Run the action that a test installed for `name`, if any."""
    if _actions and (action := _actions.get(name)):
        action()


def install(name: str, action: Callable[[], None]) -> None:
    """Make `crash_point(name)` call `action`.

    Raises:
        ValueError: no crash point has this name.
    """
    if name not in (names := CRASH_POINTS + SCHEDULE_POINTS + OUTBOX_POINTS):
        raise ValueError(f"There is no crash point {name!r}; the names are {', '.join(names)}.")
    _actions[name] = action


def clear() -> None:
    """Remove every installed action."""
    _actions.clear()
