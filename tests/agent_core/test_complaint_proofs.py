"""What people complain about, row by row, and the tests that prove that it does not happen here."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = "agent_core/test_complaints"
PROOFS: dict[int, tuple[str, ...]] = {
    1: (
        f"{HERE}::test_01_a_side_effect_repeated_on_resume",
        "agent_core/test_runtime::test_a_tool_whose_process_died",
    ),
    2: (f"{HERE}::test_02_the_whole_agent_inside_one_retried_step",),
    3: (
        f"{HERE}::test_03_a_call_without_its_result",
        "agent_core/test_history::test_any_history_can_be_repaired_once_and_for_all",
    ),
    4: (
        "chaos/test_chaos::test_what_the_harness_can_see",
        "agent_core/test_runtime::test_a_killed_process_is_taken_over_at_once",
    ),
    5: (
        f"{HERE}::test_05_fifty_six_approvals",
        "agent_core/test_tool_calls::test_an_approval_survives_a_restart",
    ),
    6: ("agent_core/test_subscribe::test_history_does_not_grow_the_database_quadratically",),
    7: (
        f"{HERE}::test_07_stop_ignored_on_a_resumed_stream",
        f"{HERE}::test_07_a_closed_tab_is_not_a_stop",
        "agent_core/test_turns::test_stop_in_retry_wait",
        "agent_core/test_turns::test_stop_while_a_tool_runs_ends_the_tool",
    ),
    8: (
        f"{HERE}::test_08_follow_ups_lost_under_concurrent_sends",
        "agent_core/test_turns::test_sent_many_times_at_once_it_is_one_message",
    ),
    9: (
        "agent_core/test_fences::test_only_one_of_two_workers_claims",
        "agent_core/test_fences::test_a_late_step_writes_nothing",
    ),
    10: (f"{HERE}::test_10_database_is_locked", "agent_core/test_store::test_many_writers_of_many_runtimes"),
    11: ("agent_core/test_steps::test_what_cannot_help_is_not_tried_again",),
    12: (
        "agent_core/test_llm::test_a_stream_that_ends_without_a_finish_is_truncated",
        "agent_core/test_steps::test_a_truncated_stream_is_an_error",
    ),
    13: (
        f"{HERE}::test_13_odd_ends_of_a_step",
        "agent_core/test_steps::test_calls_decide_not_the_reason",
        "agent_core/test_tool_calls::test_the_same_id_twice_and_again_in_a_later_step",
    ),
    14: (
        "agent_core/test_subscribe::test_from_another_process_exactly_once_and_in_order",
        "browser/test_page::test_a_reload_in_the_middle_loses_and_repeats_nothing",
    ),
    15: (
        "chat_app/test_follower::test_another_piece_of_text_changes_no_row",
        "soak/test_soak::test_a_short_soak_is_steady",
    ),
    16: (
        "chaos/test_chaos::test_three_workers_on_one_database",
        "chaos/test_chaos::test_what_the_harness_can_see",
    ),
    17: (
        "agent_core/test_subscribe::test_over_many_subscriptions_with_a_cursor",
        "agent_core/test_turns::test_stop_keeps_what_was_said_and_ends_the_request",
        "agent_core/test_steps::test_after_the_last_attempt_text_and_words_are_kept",
    ),
    18: ("agent_core/test_runtime::test_a_step_that_kills_its_process_is_sealed",),
}


def test_every_row_has_its_proof() -> None:
    assert list(PROOFS) == list(range(1, 19))
    for proofs in PROOFS.values():
        for proof in proofs:
            module, _, name = proof.partition("::")
            tree = ast.parse((ROOT / "tests" / f"{module}.py").read_text())
            functions = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
            assert name in functions, proof
