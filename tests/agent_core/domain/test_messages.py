"""Messages: validation and cleaning of input, and conversion to plain JSON."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.domain.field_limits import MAX_PROMPT_CHARS
from agent_core.domain.messages import Message, Thread, Update
from agent_core.domain.validation import (
    MAX_DEPTH,
    MAX_FILE_CHARS,
    clean_json,
    clean_text,
    message_parts,
    prompt_parts,
)
from agent_core.errors import ValidationError

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
IMAGE = {"type": "file", "url": "data:image/png;base64,AA==", "mediaType": "image/png"}


def nested(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("given_text", "clean"),
    [
        ("plain", "plain"),
        ("a\0b", "a\ufffdb"),
        ("lone \ud800 half", "lone \ufffd half"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("שלום \u202e عالم", "שלום \u202e عالم"),
        ("line\nline\ttab", "line\nline\ttab"),
        ("x" * 1_000_000 + "\0", "x" * 1_000_000 + "\ufffd"),
    ],
)
def test_text_is_cleaned_of_what_cannot_be_stored(given_text: str, clean: str):
    assert clean_text(given_text) == clean


@given(st.text(st.characters(exclude_categories=()), max_size=30))
def test_clean_text_can_always_be_stored(text: str):
    clean = clean_text(text)
    assert "\0" not in clean
    assert clean.encode().decode() == clean
    assert clean_text(clean) == clean


def test_a_prompt_is_one_text_part():
    assert prompt_parts("hello") == [{"type": "text", "text": "hello"}]


def test_parts_are_cleaned_in_every_depth_and_copied():
    data = {"type": "data-place", "data": {"na\0me": ["\ud800", (1, None)]}}
    parts = prompt_parts([{"type": "text", "text": "a\0"}, data, IMAGE])
    assert parts[0] == {"type": "text", "text": "a\ufffd"}
    assert parts[1] == {"type": "data-place", "data": {"na\ufffdme": ["\ufffd", [1, None]]}}
    assert parts[2] == IMAGE
    assert parts[2] is not IMAGE
    assert data["data"] == {"na\0me": ["\ud800", (1, None)]}


def test_a_file_alone_is_a_prompt():
    assert prompt_parts([IMAGE]) == [IMAGE]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("", "blank"),
        (" \n\t", "blank"),
        ([], "blank"),
        ([{"type": "text", "text": " "}], "blank"),
        ([{"type": "data-x", "data": 1}], "blank"),
        (None, "list of parts"),
        (5, "list of parts"),
        (["hello"], "list of parts"),
        ([{}], "type None"),
        ([{"type": 5}], "type 5"),
        ([{"type": "data-"}], "type 'data-'"),
        ([{"type": "step-start"}], "no parts of type"),
        ([{"type": "reasoning", "text": "x"}], "no parts of type"),
        ([{"type": "tool-f", "toolCallId": "c", "state": "output-available"}], "no parts of type"),
        ([{"type": "text"}], "needs 'text'"),
        ([{"type": "text", "text": 5}], "needs 'text'"),
        ([{"type": "file", "url": "https://a.example/"}], "needs 'mediaType'"),
        ([{"type": "file", "url": "file:///etc/passwd", "mediaType": "text/plain"}], "begins with"),
        ([{"type": "source-url", "sourceId": "1", "url": "javascript:alert(1)"}], "begins with"),
        ("x" * (MAX_PROMPT_CHARS + 1), "longer than"),
        ([{**IMAGE, "url": "data:" + "x" * MAX_FILE_CHARS}], "longer than"),
        ([IMAGE, {"type": "data-x", "data": nested(MAX_DEPTH)}], "deeper than"),
        ([IMAGE, {"type": "data-x", "data": nested(100_000)}], "deeper than"),
        ([IMAGE, {"type": "data-x", "data": float("nan")}], "nan is not JSON"),
        ([IMAGE, {"type": "data-x", "data": b"x"}], "bytes is not JSON"),
    ],
)
def test_values_that_are_no_prompt_are_refused_with_a_sentence(prompt: Any, words: str):
    with pytest.raises(ValidationError, match=words):
        prompt_parts(prompt)


@pytest.mark.parametrize(
    ("role", "parts", "words"),
    [
        ("tool", "x", "role is"),
        ("", "x", "role is"),
        ("system", [IMAGE], "system message has no parts"),
        ("assistant", [{"type": "tool-f", "toolCallId": "c", "state": "done"}], "no state 'done'"),
        ("assistant", [{"type": "tool-f", "state": "output-available"}], "needs 'toolCallId'"),
        ("assistant", [{"type": "step-start"}], "blank"),
    ],
)
def test_values_that_are_no_message_are_refused_with_a_sentence(role: str, parts: Any, words: str):
    with pytest.raises(ValidationError, match=words):
        message_parts(role, parts)


def test_an_assistant_message_may_have_every_kind_of_part():
    parts = [
        {"type": "step-start"},
        {"type": "reasoning", "text": "hm"},
        {"type": "text", "text": "Look:", "state": "done"},
        {"type": "tool-f", "toolCallId": "c", "state": "output-available", "input": {}, "output": 1},
        {"type": "source-url", "sourceId": "1", "url": "https://a.example/"},
        {"type": "source-document", "sourceId": "2", "mediaType": "text/plain", "title": "t"},
        IMAGE,
        {"type": "data-x", "data": None},
    ]
    assert message_parts("assistant", parts) == parts


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_clean_json_keeps_json(value: Any):
    clean = clean_json(value)
    assert json.loads(json.dumps(clean)) == clean
    if "\\u0000" not in json.dumps(value):
        assert clean == value


def test_values_turn_into_plain_json():
    thread = Thread("t", "streaming", NOW, NOW, retry_state={"attempt": 1}, metadata={"a": 1}, cursor=3)
    message = Message("m", "t", "user", [{"type": "text", "text": "hi"}], NOW)
    update = Update("snapshot", 3, thread, [message], 1, "m", [{"type": "start-step"}])
    plain = update.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["thread"]["created_at"] == "2026-11-22T20:00:00+00:00"
    assert plain["messages"][0]["parts"] == [{"type": "text", "text": "hi"}]
    assert Update("deleted", 4).to_dict()["thread"] is None
    assert set(plain["thread"]) == {each.name for each in fields(Thread)} - {
        "in_bin"
    }  # no client is sent a thread that is in the trash
    rare = {"branches", "usage", "end_reasons", "error_info"}  # omitted if empty
    assert set(plain["messages"][0]) == {each.name for each in fields(Message)} - rare
