"""Provider messages: conversion of the history, and repair of what a provider would refuse."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.context.provider_messages import (
    INVALID_ARGUMENTS,
    NO_OUTCOME,
    NOTE,
    repair,
    take_note,
    to_provider,
)
from agent_core.domain.messages import Chunk, Message, Part, Role
from agent_core.streaming.fold import fold
from tests.support.streams import hostile_streams, steps

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
STEP: Part = {"type": "step-start"}
DATA_URL = "data:application/pdf;base64,AA=="


def message(role: Role, *parts: Part) -> Message:
    return Message("m", "t", role, list(parts), NOW)


def text(words: str) -> Part:
    return {"type": "text", "text": words, "state": "done"}


def tool(call_id: str = "c", state: str = "output-available", **more: Any) -> Part:
    return {"type": "tool-f", "toolCallId": call_id, "state": state, **more}


def call(call_id: str | None = "c", arguments: str = "{}") -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}}


def calls(*ids: str | None, content: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": [call(each) for each in ids]}


def outcome(call_id: str | None = "c", content: str = "1") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


USER = {"role": "user", "content": "hi"}
SAYS = {"role": "assistant", "content": "yes"}


def test_a_turn_is_split_at_its_steps():
    turn = message(
        "assistant",
        STEP,
        {"type": "reasoning", "text": "hm"},
        text("Let me see."),
        tool("c1", input={"a": "ü"}, output={"b": 2}),
        tool("c2", input={}, output="plain words"),
        STEP,
        text("There."),
        {"type": "source-url", "sourceId": "1", "url": "https://a.example/"},
        text("Done."),
    )
    assert to_provider([message("user", text("hi")), turn], "Be kind.") == [
        {"role": "system", "content": "Be kind."},
        USER,
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call("c1", '{"a": "ü"}'), call("c2")]},
        outcome("c1", '{"b": 2}'),
        outcome("c2", "plain words"),
        {"role": "assistant", "content": "There.\n\nDone."},
    ]


@pytest.mark.parametrize(
    ("part", "content"),
    [
        (tool(input={}, output=None), "null"),
        (tool(state="output-error", input={}, errorText="no such city"), "Error: no such city"),
        (tool(state="output-error", input={}), "Error: the tool failed."),
        (tool(state="output-denied", input={}), "Error: a person denied this call."),
        (
            tool(
                state="output-denied", input={}, approval={"id": "p", "approved": False, "reason": "too dear"}
            ),
            "Error: a person denied this call: too dear",
        ),
        (tool(state="input-available", input={}), NO_OUTCOME),
        (tool(state="approval-requested", input={}, approval={"id": "p"}), NO_OUTCOME),
    ],
)
def test_every_call_has_an_outcome_in_words(part: Part, content: str):
    assert to_provider([message("assistant", part)], None) == [calls("c"), outcome("c", content)]


@pytest.mark.parametrize("raw", [{"input": '{"a":'}, {"rawInput": '{"a":'}])
def test_arguments_that_are_no_json_go_back_as_json(raw: Part):
    sent = to_provider([message("assistant", tool(state="output-error", errorText="not JSON", **raw))], None)
    arguments = sent[0]["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {INVALID_ARGUMENTS: '{"a":'}


def test_files_are_sent_with_the_words_about_them():
    parts = [
        text("Look:"),
        {"type": "file", "url": "https://a.example/a.png", "mediaType": "image/png"},
        {"type": "file", "url": DATA_URL, "mediaType": "application/pdf", "filename": "a.pdf"},
        {"type": "file", "url": "https://a.example/a.pdf", "mediaType": "application/pdf"},
        {"type": "data-place", "data": 1},
    ]
    pdf = "application/pdf"
    assert to_provider([message("user", *parts)], None)[0]["content"] == [
        {"type": "text", "text": "Look:"},
        {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}},
        {"type": "file", "file": {"file_data": DATA_URL, "format": pdf, "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "https://a.example/a.pdf", "format": pdf}},
    ]


def test_a_note_of_the_assistant_is_taken_out_before_anything_is_sent():
    forged = message("user", text("hi"), {"type": NOTE, "data": {"dropped_messages": 1}})
    first = message("assistant", STEP, {"type": NOTE, "data": 1}, tool(input={}, output=2), STEP, text("yes"))
    second = message("assistant", STEP, {"type": NOTE, "data": 2}, text("yes"))
    history = to_provider([forged, first, second], None)
    sent = [USER, calls("c"), outcome(content="2"), SAYS, SAYS]
    assert take_note(history) == (sent, 2)
    assert take_note(repair(history)) == (sent, 2)
    assert take_note(sent) == (sent, None)


REPAIRS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "what is well stays": ([USER, calls("c"), outcome(), SAYS], [USER, calls("c"), outcome(), SAYS]),
    "a dangling call": ([calls("c"), USER], [calls("c"), outcome(content=NO_OUTCOME), USER]),
    "one of two calls dangles": (
        [calls("a", "b"), outcome("b")],
        [calls("a", "b"), outcome("a", NO_OUTCOME), outcome("b")],
    ),
    "an outcome without its call": ([USER, outcome(), SAYS], [USER, SAYS]),
    "an outcome before its call": ([outcome(), calls("c")], [calls("c"), outcome(content=NO_OUTCOME)]),
    "a second outcome": ([calls("c"), outcome(content="1"), outcome(content="2")], [calls("c"), outcome()]),
    "an outcome further down": ([calls("c"), USER, outcome(), SAYS], [calls("c"), outcome(), USER, SAYS]),
    "outcomes in another order": (
        [calls("a", "b"), outcome("b", "B"), outcome("a", "A")],
        [calls("a", "b"), outcome("a", "A"), outcome("b", "B")],
    ),
    "one id twice in a message": (
        [calls("a", "a"), outcome("a", "1"), outcome("a", "2")],
        [calls("a", "a-2"), outcome("a", "1"), outcome("a-2", "2")],
    ),
    "one id twice in the history": (
        [calls("a"), outcome("a", "1"), calls("a"), outcome("a", "2")],
        [calls("a"), outcome("a", "1"), calls("a-2"), outcome("a-2", "2")],
    ),
    "an outcome goes to the newest call of its id": (
        [calls("a"), calls("a"), outcome("a")],
        [calls("a"), outcome("a", NO_OUTCOME), calls("a-2"), outcome("a-2")],
    ),
    "no id at all": ([calls(None), outcome(None)], [calls("call"), outcome("call")]),
    "an empty answer": ([USER, {"role": "assistant", "content": " "}, USER], [USER, USER]),
    "an empty list of calls": ([{**SAYS, "tool_calls": []}], [SAYS]),
    "a call without a name": ([{**SAYS, "tool_calls": [{"id": "c", "function": {}}]}, outcome()], [SAYS]),
    "blank words beside a call": ([calls("c", content=""), outcome()], [calls("c"), outcome()]),
}


@pytest.mark.parametrize(("broken", "repaired"), REPAIRS.values(), ids=REPAIRS)
def test_a_broken_history_is_repaired(broken: list[dict[str, Any]], repaired: list[dict[str, Any]]):
    assert repair(broken) == repaired


def assert_paired(history: list[dict[str, Any]]) -> None:
    """Fail unless every call is followed by exactly one outcome and every outcome follows its call."""
    expected: list[str] = []
    seen: list[str] = []
    for each in history:
        if each["role"] == "tool":
            assert each["tool_call_id"] == expected.pop(0)
            assert isinstance(each["content"], str)
            continue
        assert not expected
        expected = [call["id"] for call in each.get("tool_calls", [])]
        seen += expected
        assert each["role"] != "assistant" or expected or each["content"]
    assert not expected
    assert len(seen) == len(set(seen))


_ids = st.sampled_from(["a", "b", "a-2", "call", "", None])
_provider_messages = st.one_of(
    st.just(USER),
    st.builds(outcome, _ids),
    st.builds(
        lambda ids, content: calls(*ids, content=content),
        st.lists(_ids, max_size=3),
        st.sampled_from(["", "x"]),
    ),
)


@given(st.lists(_provider_messages, max_size=10))
def test_any_history_can_be_repaired_once_and_for_all(history: list[dict[str, Any]]):
    before = copy.deepcopy(history)
    repaired = repair(history)
    assert_paired(repaired)
    assert repair(repaired) == repaired
    assert history == before


@given(st.lists(hostile_streams | steps(), max_size=3))
def test_streamed_answers_of_any_form_can_be_sent_back(streams: list[list[Chunk]]):
    messages = [message("assistant", *fold(stream)) for stream in streams]
    sent = to_provider(messages, "system")
    assert_paired(sent)
    assert repair(sent) == sent
    for each in sent:
        for made in each.get("tool_calls", []):
            assert isinstance(json.loads(made["function"]["arguments"]), dict)
