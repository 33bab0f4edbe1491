"""Folding of chunks into parts: the same for every reader and any stream."""

from __future__ import annotations

import copy

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent_core.domain.end_reasons import PROCESS_ENDED, STOPPED
from agent_core.domain.messages import OPEN_TOOL_STATES, Chunk, Part, is_tool_part
from agent_core.streaming.fold import closing, fold, merge, settle, unfold
from agent_core.streaming.part_reducer import PartReducer
from tests.support.chunks import (
    ASK,
    CALL,
    CALLED,
    END,
    START,
    answer,
    delta,
    denied,
    error,
    output,
    text,
)
from tests.support.streams import hostile_streams, steps

STREAMS: dict[str, tuple[list[Chunk], list[Part]]] = {
    "nothing": ([], []),
    "text": ([START, delta("He"), delta("llo"), END], [text("Hello")]),
    "text that is still open": ([START, delta("He")], [text("He", "streaming")]),
    "a delta without a start opens its part": ([delta("He"), delta("llo")], [text("Hello", "streaming")]),
    "an end without a start": ([END], []),
    "two texts at once": (
        [START, {"type": "text-start", "id": "2"}, delta("b", "2"), delta("a"), END],
        [text("a"), text("b", "streaming")],
    ),
    "one id, text and reasoning": (
        [delta("a"), delta("r", kind="reasoning"), delta("b")],
        [text("ab", "streaming"), {"type": "reasoning", "text": "r", "state": "streaming"}],
    ),
    "a step ends what is open in it": (
        [{"type": "start-step"}, START, delta("a"), {"type": "finish-step"}, delta("b")],
        [{"type": "step-start"}, text("a"), text("b", "streaming")],
    ),
    "an id of an earlier step is a new text": (
        [START, delta("a"), {"type": "start-step"}, START, delta("b")],
        [text("a", "streaming"), {"type": "step-start"}, text("b", "streaming")],
    ),
    "a call": ([CALL], [CALLED]),
    "a call whose input streams": (
        [
            {"type": "tool-input-start", "toolCallId": "c", "toolName": "f"},
            {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": '{"a"'},
            {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": ":1"},
        ],
        [{"type": "tool-f", "toolCallId": "c", "state": "input-streaming", "rawInput": '{"a":1'}],
    ),
    "a call whose input is there": (
        [{"type": "tool-input-start", "toolCallId": "c", "toolName": "f"}, CALL],
        [CALLED],
    ),
    "input for an unknown call": (
        [{"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "x"}],
        [],
    ),
    "an outcome": ([CALL, output(2)], [CALLED | {"state": "output-available", "output": 2}]),
    "an outcome in a later step": (
        [CALL, {"type": "finish-step"}, {"type": "start-step"}, output(2)],
        [CALLED | {"state": "output-available", "output": 2}, {"type": "step-start"}],
    ),
    "an error": ([CALL, error("no")], [CALLED | {"state": "output-error", "errorText": "no"}]),
    "an outcome of an unknown call": ([output(1), error("x"), denied(), ASK, answer(True)], []),
    "the first outcome stays": (
        [CALL, output(1), output(2), error("no"), denied(), ASK, CALL],
        [CALLED | {"state": "output-available", "output": 1}],
    ),
    "a preliminary outcome gives way": (
        [CALL, output(1, preliminary=True), output(2)],
        [CALLED | {"state": "output-available", "output": 2}],
    ),
    "a preliminary outcome, then an error": (
        [CALL, output(1, preliminary=True), error("no")],
        [CALLED | {"state": "output-error", "errorText": "no"}],
    ),
    "an input error": (
        [{"type": "tool-input-error", "toolCallId": "c", "toolName": "f", "input": "{", "errorText": "bad"}],
        [{"type": "tool-f", "toolCallId": "c", "state": "output-error", "rawInput": "{", "errorText": "bad"}],
    ),
    "an approval is asked for": (
        [CALL, ASK],
        [CALLED | {"state": "approval-requested", "approval": {"id": "p"}}],
    ),
    "an approval is given": (
        [CALL, ASK, answer(True), answer(False)],
        [CALLED | {"state": "approval-responded", "approval": {"id": "p", "approved": True}}],
    ),
    "only a plain true approves": (
        [CALL, ASK, {**answer(True), "approved": "yes"}],
        [CALLED | {"state": "approval-responded", "approval": {"id": "p", "approved": False}}],
    ),
    "an approval holds for the input it was asked for": (
        [CALL, ASK, {**CALL, "input": {"a": 2}}, answer(True)],
        [CALLED | {"input": {"a": 2}}],
    ),
    "an approval is denied": (
        [CALL, ASK, answer(False, reason="why?"), denied()],
        [CALLED | {"state": "output-denied", "approval": {"id": "p", "approved": False, "reason": "why?"}}],
    ),
    "denied at once": (
        [CALL, ASK, denied(reason="no")],
        [CALLED | {"state": "output-denied", "approval": {"id": "p", "approved": False, "reason": "no"}}],
    ),
    "data with an id is replaced": (
        [{"type": "data-x", "id": "1", "data": 1}, {"type": "data-x", "id": "1", "data": 2}],
        [{"type": "data-x", "id": "1", "data": 2}],
    ),
    "data that is only news leaves nothing": (
        [
            {"type": "data-tool-progress", "id": "c", "data": 1},
            {"type": "data-thread", "data": {}},
            {"type": "data-x", "data": 1, "transient": True},
        ],
        [],
    ),
    "sources and files": (
        [{"type": "source-url", "sourceId": "1", "url": "u"}, {"type": "file", "url": "u", "mediaType": "m"}],
        [{"type": "source-url", "sourceId": "1", "url": "u"}, {"type": "file", "url": "u", "mediaType": "m"}],
    ),
    "what nobody knows is passed over": ([{"type": "??"}, {"type": None}, {"type": []}, {}, {"id": "1"}], []),
}


@pytest.mark.parametrize(("chunks", "parts"), STREAMS.values(), ids=STREAMS)
def test_fold(chunks: list[Chunk], parts: list[Part]):
    assert fold(chunks) == parts


@settings(max_examples=200)
@given(hostile_streams, st.integers(0, 14))
def test_any_stream_folds_and_comes_back(chunks: list[Chunk], cut: int):
    before = copy.deepcopy(chunks)
    parts = fold(chunks)
    assert fold(unfold(parts)) == parts
    assert fold(merge(chunks)) == parts
    bit_by_bit = PartReducer()
    bit_by_bit.extend(chunks[:cut])
    assert bit_by_bit.parts == fold(chunks[:cut])
    bit_by_bit.extend(chunks[cut:])
    assert bit_by_bit.parts == parts
    assert chunks == before


@given(hostile_streams, hostile_streams)
def test_folding_onto_parts_leaves_them_alone(first: list[Chunk], second: list[Chunk]):
    parts = fold(first)
    before = copy.deepcopy(parts)
    fold(second, parts)
    settle(parts, STOPPED)
    unfold(parts)
    assert parts == before


@given(steps(), st.integers(0, 20))
def test_parts_go_on_where_a_stream_was_cut(chunks: list[Chunk], cut: int):
    assert fold(chunks[cut:], fold(chunks[:cut])) == fold(chunks)


def test_merge_joins_neighbours_only():
    deltas = [delta("a"), delta("b"), delta("c", "2"), delta("d"), END, delta("e")]
    assert merge(deltas) == [delta("ab"), delta("c", "2"), delta("d"), END, delta("e")]
    tool = {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "x"}
    assert merge([tool, tool]) == [{**tool, "inputTextDelta": "xx"}]


def test_merge_makes_a_long_stream_short():
    chunks = [START, *[delta("word ")] * 3000, END]
    assert merge(chunks) == [START, delta("word " * 3000), END]
    assert len(unfold(fold(chunks))) == 3


@given(hostile_streams)
@example([CALL, {"type": "start-step"}, CALL])  # an id that two steps have
@example([CALL, {"type": "start-step"}, CALL, {"type": "start-step"}, CALL])
def test_parts_that_were_cut_off_are_closed(chunks: list[Chunk]):
    parts = fold(chunks)
    settled = settle(parts, STOPPED)
    assert settled == fold([*chunks, *closing(parts, STOPPED)])
    texts_and_calls = [
        part for part in settled if part["type"] in ("text", "reasoning") or is_tool_part(part)
    ]
    assert not {part["state"] for part in texts_and_calls} & {"streaming", *OPEN_TOOL_STATES}
    assert settle(settled, PROCESS_ENDED) == settled


def test_a_cut_off_call_says_why():
    assert settle([text("Hel", "streaming"), CALLED], STOPPED) == [
        text("Hel"),
        CALLED | {"state": "output-error", "errorText": "stopped"},
    ]
