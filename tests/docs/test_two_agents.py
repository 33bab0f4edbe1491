"""Test that examples/two_agents.py, killed at any point, loses nothing and asks nothing twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core.support.faults import CRASH_POINTS
from tests.support.agents import rows
from tests.support.docs.programs import ROOT, run_program

EXAMPLE = ROOT / "examples" / "two_agents.py"
ANSWER = "The researcher says: Mont Blanc is 4,806 m high."

DYING = """
import asyncio, itertools, os, runpy, sys
from agent_core import faults

point, at, url = sys.argv[1], int(sys.argv[2]), sys.argv[3]
count = itertools.count(1)

def die():
    if next(count) == at:
        os._exit(9)

faults.install(point, die)
asyncio.run(runpy.run_path(sys.argv[4])["main"](url))
"""


# Commit 1 makes the assistant's call, commit 2 stores the researcher's answer: a death right after commit 2
# loses the hook that would have delivered the answer.
POINTS = [("commit.after", 1), ("commit.after", 2), ("tool.claimed", 1), ("send.after", 2), ("tool.ran", 1)]


@pytest.mark.parametrize(("point", "at"), POINTS, ids=str)
def test_an_answer_is_delivered_whenever_the_process_dies(point: str, at: int, tmp_path: Path):
    assert point in CRASH_POINTS
    path = tmp_path / "agents.db"
    url = f"sqlite:///{path}"
    assert run_program(DYING, point, str(at), url, str(EXAMPLE), cwd=tmp_path, strict=False).code == 9
    assert run_program(EXAMPLE, url, cwd=tmp_path, strict=False) == (ANSWER, "", 0)
    found = rows(path)
    assert len(found["agent_thread"]) == 2
    assert len(found["agent_tool_call"]) == 1
