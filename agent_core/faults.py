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
"""Every name that is ever passed to `crash_point`, in the order in which a turn meets them."""

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
    if name not in CRASH_POINTS:
        raise ValueError(f"There is no crash point {name!r}; the names are {', '.join(CRASH_POINTS)}.")
    _actions[name] = action


def clear() -> None:
    """Forget every installed action."""
    _actions.clear()
