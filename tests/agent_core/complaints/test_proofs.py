"""Common complaints about durable agents, one per row; each row has a test that is named after it.

Such a test (`test_07_…`) runs the scenario of the complaint and asserts that it does not happen here.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2]
ROWS = {
    1: "A side effect repeated on resume",
    2: "The whole agent inside one retried step",
    3: "A tool call without its result, or a result without its call: the provider answers 400 for ever",
    4: "Running for ever after a restart",
    5: "A pending approval lost on restart, or consumed twice or by the wrong call",
    6: "History bloat",
    7: "Stop ignored; and a closed tab taken for one",
    8: "Follow-ups lost, replayed or overwritten under concurrent sends",
    9: "Two workers interleave one thread",
    10: "SQLite: database is locked",
    11: "A context overflow retried in a loop",
    12: "A truncated stream taken as complete",
    13: "Tool calls with an odd finish_reason, an unknown name, or one id twice strand a thread",
    14: "An answer lost on reload, chat switch or disconnect",
    15: "Long-chat lag, typing lag, memory growth",
    16: "One jobstore shared by two schedulers",
    17: "Duplicates after replay, a tail lost on abort, the real error swallowed",
    18: "A step that kills its process each time",
}


def names_in(file: Path) -> list[str]:
    """Return the names of the functions in a file."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.parse(file.read_text()).body if isinstance(node, functions)]


def test_each_row_has_a_test_of_its_name() -> None:
    names = [name for file in TESTS.rglob("test_*.py") for name in names_in(file)]
    found = {int(match[1]) for name in names if (match := re.match(r"test_(\d\d)_", name))}
    assert found == set(ROWS) == set(range(1, 19))
