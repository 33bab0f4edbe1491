"""Test that docs/explanation/lifecycle.md draws exactly the transitions of agent_core.domain.states."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agent_core.domain.states import CALL, STREAM, THREAD, CallStatus, StreamStatus, ThreadStatus

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "lifecycle.md").read_text()
TABLES = {"Thread": (THREAD, ThreadStatus), "Stream": (STREAM, StreamStatus), "Tool call": (CALL, CallStatus)}


def section(name: str) -> str:
    return PAGE.split(f"## {name}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize("name", TABLES)
def test_the_diagram_has_every_arrow_and_no_other(name: str) -> None:
    table: dict[str, dict[Any, Any]]
    table, states = TABLES[name]
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\w+)$", section(name), re.M))
    allowed = {(str(a), str(b), event) for event, moves in table.items() for a, b in moves.items()}
    assert drawn == allowed
    assert {state for arrow in drawn for state in arrow[:2]} == set(states)


def test_the_table_explains_every_event_of_a_thread() -> None:
    assert re.findall(r"^\| `(\w+)` \|", section("Thread"), re.M) == list(THREAD)
