"""Equal calls sent to Gemini: one after the other, with all else unchanged; see test_dialects.py."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from agent_core.llm.requests.gemini_duplicates import split_duplicates
from agent_core.testing import check_pairing
from tests.support.contexts import histories

Messages = list[dict[str, Any]]


@settings(max_examples=60)
@given(history=histories())
def test_a_paired_history_stays_one_and_loses_nothing(history: Messages) -> None:
    split = split_duplicates(history)
    check_pairing(split)
    assert calls_and_outcomes(split) == calls_and_outcomes(history)
    assert [m for m in split if m.get("content") and m["role"] != "tool"] == [
        {**m, **({"tool_calls": m["tool_calls"][:1]} if m.get("tool_calls") else {})}
        for m in history
        if m.get("content") and m["role"] != "tool"
    ], "of a step whose calls are all equal the text stays with the first"
    assert split_duplicates(split) == split


def calls_and_outcomes(messages: Messages) -> tuple[list[Any], list[Any]]:
    calls = [call["id"] for message in messages for call in message.get("tool_calls") or []]
    outcomes = [
        (message["tool_call_id"], message["content"]) for message in messages if message["role"] == "tool"
    ]
    return sorted(calls), sorted(outcomes)


def test_different_calls_stay_together() -> None:
    functions = [("f", '{"n": 1}'), ("f", '{"n": 2}'), ("g", '{"n": 1}'), ("f", ""), ("f", "no json")]
    calls = [
        {"id": str(n), "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(functions)
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    history = [message, *({"role": "tool", "tool_call_id": str(n), "content": "x"} for n in range(5))]
    assert split_duplicates(history) == history
    twice = [{**message, "tool_calls": [*calls, {**calls[0], "id": "5"}]}, *history[1:]]
    twice.append({"role": "tool", "tool_call_id": "5", "content": "y"})
    assert [len(each["tool_calls"]) for each in split_duplicates(twice) if "tool_calls" in each] == [5, 1]
