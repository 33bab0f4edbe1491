"""Fold: chunks become parts, the same way for every reader, whatever comes."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.fold import ThreadView, closing, fold, merge, settle, unfold
from agent_core.messages import OPEN_TOOL_STATES, Chunk, Message, Part, Thread, Update, is_tool_part
from agent_core.reducer import Fold
from tests.agent_core.streams import hostile_streams, steps

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
START: Chunk = {"type": "text-start", "id": "1"}
END: Chunk = {"type": "text-end", "id": "1"}
CALL: Chunk = {"type": "tool-input-available", "toolCallId": "c", "toolName": "f", "input": {"a": 1}}
CALLED: Part = {"type": "tool-f", "toolCallId": "c", "state": "input-available", "input": {"a": 1}}
ASK: Chunk = {"type": "tool-approval-request", "toolCallId": "c", "approvalId": "p"}


def delta(text: str, name: str = "1", kind: str = "text") -> Chunk:
    return {"type": f"{kind}-delta", "id": name, "delta": text}


def text(words: str, state: str = "done") -> Part:
    return {"type": "text", "text": words, "state": state}


def output(value: Any, **more: Any) -> Chunk:
    return {"type": "tool-output-available", "toolCallId": "c", "output": value, **more}


def error(words: str) -> Chunk:
    return {"type": "tool-output-error", "toolCallId": "c", "errorText": words}


def denied(**more: Any) -> Chunk:
    return {"type": "tool-output-denied", "toolCallId": "c", **more}


def answer(approved: bool, **more: Any) -> Chunk:
    return {"type": "tool-approval-response", "approvalId": "p", "approved": approved, **more}


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


@settings(max_examples=500)
@given(hostile_streams, st.integers(0, 14))
def test_any_stream_folds_and_comes_back(chunks: list[Chunk], cut: int):
    before = copy.deepcopy(chunks)
    parts = fold(chunks)
    assert fold(unfold(parts)) == parts
    assert fold(merge(chunks)) == parts
    bit_by_bit = Fold()
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
    settle(parts, "stopped")
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
def test_what_was_cut_off_is_closed(chunks: list[Chunk]):
    parts = fold(chunks)
    settled = settle(parts, "stopped")
    assert settled == fold([*chunks, *closing(parts, "stopped")])
    texts_and_calls = [
        part for part in settled if part["type"] in ("text", "reasoning") or is_tool_part(part)
    ]
    assert not {part["state"] for part in texts_and_calls} & {"streaming", *OPEN_TOOL_STATES}
    assert settle(settled, "again") == settled


def test_a_cut_off_call_says_why():
    assert settle([text("Hel", "streaming"), CALLED], "stopped") == [
        text("Hel"),
        CALLED | {"state": "output-error", "errorText": "stopped"},
    ]


# The follower


def snapshot(*messages: Message, cursor: int = 1, **more: Any) -> Update:
    return Update("snapshot", cursor, Thread("t", "streaming", NOW, NOW), messages, **more)


def chunks(seq: int, *some: Chunk, message_id: str | None = "m", cursor: int = 2) -> Update:
    return Update("chunks", cursor, seq=seq, message_id=message_id, chunks=some)


def shown(*updates: Update) -> list[tuple[str, list[Part]]]:
    view = ThreadView()
    for update in updates:
        view.apply(update)
    return [(message["role"], message["parts"]) for message in view.messages]


FINISH: Chunk = {"type": "finish-step"}


def test_live_parts_follow_the_committed_ones():
    message = Message("m", "t", "assistant", [text("one")], NOW, committed_seq=1)
    assert shown(snapshot(message), chunks(2, START, delta("two"))) == [
        ("assistant", [text("one"), text("two", "streaming")])
    ]


def test_a_snapshot_brings_the_live_parts_too():
    assert shown(snapshot(seq=1, message_id="m", chunks=[START, delta("a")]), chunks(1, delta("b"), END)) == [
        ("assistant", [text("ab")])
    ]


def test_the_next_attempt_replaces_what_was_never_committed():
    lost = [snapshot(), chunks(1, START, delta("lost"))]
    assert shown(*lost) == [("assistant", [text("lost", "streaming")])]
    assert shown(*lost, chunks(2, START, delta("new"))) == [("assistant", [text("new", "streaming")])]


def test_the_next_step_follows_what_was_committed():
    assert shown(snapshot(), chunks(1, START, delta("a"), END, FINISH), chunks(2, START, delta("b"))) == [
        ("assistant", [text("a"), text("b", "streaming")])
    ]


def test_a_zombies_chunks_change_nothing():
    committed = [snapshot(), chunks(2, START, delta("a"), END, FINISH)]
    assert shown(*committed, chunks(1, START, delta("old"), FINISH), chunks(2, delta("again"))) == [
        ("assistant", [text("a")])
    ]


def test_an_outcome_finds_its_call_in_a_committed_step():
    updates = [snapshot(), chunks(1, CALL, FINISH), chunks(2, START, delta("a")), chunks(1, output(3))]
    assert shown(*updates)[0][1][0] == CALLED | {"state": "output-available", "output": 3}


def test_messages_of_a_person_arrive_in_order():
    said = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    news: Chunk = {"type": "data-message", "data": said}
    assert shown(snapshot(), chunks(0, news, message_id=None), chunks(1, delta("yes"))) == [
        ("user", said["parts"]),
        ("assistant", [text("yes", "streaming")]),
    ]


def test_what_a_tool_reports_is_shown_until_its_outcome():
    view = ThreadView()
    view.apply(snapshot())
    run: Chunk = {"type": "data-tool-run", "id": "c", "data": {"status": "running"}}
    progress: list[Chunk] = [{"type": "data-tool-progress", "id": "c", "data": n} for n in (1, 2)]
    view.apply(chunks(1, CALL, FINISH, run, *progress))
    assert (view.progress, view.runs) == ({"c": 2}, {"c": {"status": "running"}})
    view.apply(chunks(1, output(3), cursor=7))
    assert (view.progress, view.runs, view.cursor) == ({}, {}, 7)


def test_the_thread_changes_and_goes():
    view = ThreadView()
    view.apply(snapshot())
    news: Chunk = {"type": "data-thread", "data": {"status": "failed", "error": "no key"}}
    view.apply(chunks(0, news, message_id=None))
    assert (view.thread["status"], view.thread["error"], view.thread["id"]) == ("failed", "no key", "t")
    view.apply(Update("deleted", 9))
    assert (view.deleted, view.thread, view.messages) == (True, {}, [])


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["m", "n", None]), hostile_streams), max_size=5))
def test_a_view_takes_whatever_comes(updates: list[tuple[int, str | None, list[Chunk]]]):
    view = ThreadView()
    for cursor, (seq, message_id, some) in enumerate(updates):
        view.apply(chunks(seq, *some, message_id=message_id, cursor=cursor))
        assert all(isinstance(message["parts"], list) for message in view.messages)


@settings(max_examples=50)
@given(st.data())
def test_a_view_joined_at_any_point_ends_the_same(data: st.DataObject):
    """Whoever takes a snapshot in the middle and follows on sees what the first follower sees."""
    stream = [data.draw(steps(step)) for step in (1, 2)]
    flushes = [(seq, chunk) for seq, step in enumerate(stream, 1) for chunk in step]
    early = ThreadView()
    early.apply(snapshot(cursor=0))
    joined = data.draw(st.integers(0, len(flushes)))
    for seq, chunk in flushes[:joined]:
        early.apply(chunks(seq, chunk))
    done = [seq for seq, chunk in flushes[:joined] if chunk == FINISH]
    committed = [part for step in stream[: len(done)] for part in fold(step)]
    live = [chunk for seq, chunk in flushes[:joined] if seq > len(done)]
    message = Message("m", "t", "assistant", committed, NOW, committed_seq=len(done))
    late = ThreadView()
    late.apply(snapshot(message, seq=len(done) + 1, message_id="m", chunks=merge(live)))
    for seq, chunk in flushes[joined:]:
        early.apply(chunks(seq, chunk))
        late.apply(chunks(seq, chunk))
    assert (
        [m["parts"] for m in late.messages]
        == [m["parts"] for m in early.messages]
        == [[part for step in stream for part in fold(step)]]
    )
