"""Named crash points: places where tests make the process die.

In production `crash_point` is one dictionary look-up in an empty dictionary. A test installs an
action for a name (raise, `os._exit`, SIGKILL) and so dies exactly there.
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
"""The names that a turn passes to `crash_point`, in the order in which it meets them."""

SCHEDULE_POINTS = ("schedule.taken", "schedule.inside", "schedule.after")
"""The names that a schedule's run passes, besides those of the turn that it begins."""

_actions: dict[str, Callable[[], None]] = {}


def crash_point(name: str) -> None:
    """Do what a test installed for `name`; nothing otherwise."""
    if _actions and (action := _actions.get(name)):
        action()


def install(name: str, action: Callable[[], None]) -> None:
    """Make `crash_point(name)` call `action`.

    Raises:
        ValueError: no crash point has this name.
    """
    if name not in (names := CRASH_POINTS + SCHEDULE_POINTS):
        raise ValueError(f"There is no crash point {name!r}; the names are {', '.join(names)}.")
    _actions[name] = action


def clear() -> None:
    """Forget every installed action."""
    _actions.clear()
