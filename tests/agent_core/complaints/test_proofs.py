"""What people complain about in durable agents, row by row: each has tests that are named after it.

Such a test (`test_07_…`, in a file `test_complaints…`) plays one scenario twice: the naive design fails,
as the assertion shows, and ours does not. Some rows have a second proof of another
kind, or on the other database.
"""

from __future__ import annotations

import ast
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
ALSO = {
    1: ("agent_core/test_recovery::test_a_tool_whose_process_died",),
    3: ("agent_core/test_history::test_any_history_can_be_repaired_once_and_for_all",),
    4: ("chaos/test_chaos::test_what_the_harness_can_see",),
    7: (
        "agent_core/test_stops::test_stop_in_retry_wait",
        "agent_core/test_stops::test_stop_while_a_tool_runs_ends_the_tool",
    ),
    9: (
        "agent_core/test_fences::test_only_one_of_two_workers_claims",
        "agent_core/test_fences::test_a_late_step_writes_nothing",
        "agent_core/test_fences::test_a_zombie_wakes_in_a_real_process",
    ),
    10: ("agent_core/test_store::test_many_writers_of_many_runtimes",),
    14: ("browser/test_page::test_a_reload_in_the_middle_loses_and_repeats_nothing",),
    15: ("soak/test_soak::test_a_short_soak_is_steady",),
    16: ("chaos/test_chaos::test_three_workers_on_one_database",),
    17: ("agent_core/test_subscribe::test_over_many_subscriptions_with_a_cursor",),
    18: ("agent_core/test_recovery::test_a_step_that_kills_its_process_is_sealed",),
}


def names_in(file: Path) -> list[str]:
    """Return the names of a file's functions."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.parse(file.read_text()).body if isinstance(node, functions)]


def test_each_row_has_a_test_of_its_name() -> None:
    files = TESTS.glob("*/test_complaints*.py")
    names = [name for file in files for name in names_in(file) if name.startswith("test_")]
    assert {int(name.split("_")[1]) for name in names} == set(ROWS) == set(range(1, 19))


def test_the_second_proofs_are_there() -> None:
    for proof in (proof for proofs in ALSO.values() for proof in proofs):
        module, _, name = proof.partition("::")
        assert name in names_in(TESTS / f"{module}.py"), proof
