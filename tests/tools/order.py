"""Which tests go together, and which come first, where several processes share a run (pytest-xdist).

A process takes one group after the other. Tests of a file stay together, for they share what its
fixtures have made; so do those of a folder that share a server, or whose workers would take each
other's processors. What takes longest begins, so that
the processes end at about the same time.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

FIRST = ("browser prod", "chaos", "browser dev", "providers", "soak", "tests/docs/test_programs.py")
"""What begins, in this order: work for the processor and waits take turns."""


def begin_with_the_longest(items: list[pytest.Item]) -> None:
    """Put the groups of `FIRST` first; all else stays in its order."""
    items.sort(key=lambda item: _place(group_of(item.nodeid)))


def group_of(nodeid: str) -> str:
    """Return the name of the group that a test belongs to."""
    file, _, name = nodeid.partition("::")
    folder = file.removeprefix("tests/").partition("/")[0]
    if folder == "browser":  # each way to serve the app is a build, which takes longer than most tests
        return f"browser {'dev' if '[dev' in name else 'prod'}"
    return folder if folder in FIRST else file


class Groups(LoadScopeScheduling):
    """Hands out whole groups, in the order in which their first tests were found."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # by the number of tests: the longest have the fewest

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def sendable(text: str) -> str:
    """Return the text with what UTF-8 does not know (half a character) spelled out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _place(group: str) -> int:
    return next((place for place, name in enumerate(FIRST) if group.startswith(name)), len(FIRST))
