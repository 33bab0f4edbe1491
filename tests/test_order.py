"""What is shared between processes that run the tests: whole groups, the longest first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.tools.order import FIRST, begin_with_the_longest, group_of


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("tests/agent_core/test_a.py::test_1", "tests/agent_core/test_a.py::test_2[sqlite-x::y]", True),
        ("tests/agent_core/test_a.py::test_1", "tests/agent_core/test_b.py::test_1", False),
        ("tests/browser/test_a.py::test_1[prod]", "tests/browser/test_b.py::test_2[prod-x]", True),
        ("tests/browser/test_a.py::test_1[prod]", "tests/browser/test_a.py::test_1[dev]", False),
        ("tests/chaos/test_a.py::test_1[sqlite]", "tests/chaos/test_a.py::test_1[postgresql]", True),
        ("tests/providers/test_a.py::test_1", "tests/providers/test_b.py::test_1", True),
        ("tests/test_a.py::test_1", "tests/test_a.py::test_2", True),
    ],
)
def test_what_shares_a_server_or_a_fixture_goes_together(one: str, other: str, together: bool) -> None:
    assert (group_of(one) == group_of(other)) is together


def test_the_longest_begin() -> None:
    """And all else stays as it was."""
    names = ["agent_core/b", "agent_core/a", "browser/a[dev]", "chaos/a", "browser/a[prod]", "soak/a"]
    items: list[Any] = [_Item(f"tests/{name.replace('/', '/test_x.py::test_')}") for name in names]
    begin_with_the_longest(items)
    assert [names.index(item.nodeid.replace("test_x.py::test_", "")[6:]) for item in items] == [
        4,
        3,
        2,
        5,
        0,
        1,
    ]


@pytest.mark.parametrize("name", FIRST)
def test_what_begins_is_there(name: str) -> None:
    root = Path(__file__).parent
    assert any(
        group_of(f"tests/{path.relative_to(root)}").startswith(name.split()[0])
        for path in root.rglob("test_*.py")
    )


class _Item:
    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid
