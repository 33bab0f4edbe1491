"""Thread view: what a follower shows, wherever it joins and whatever arrives."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.domain.messages import Chunk, Message, Part, Thread, Update
from agent_core.streaming.fold import ThreadView, fold, merge
from tests.support.chunks import CALL, CALLED, END, FINISH, START, delta, denied, output, text
from tests.support.streams import hostile_streams, steps

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


def snapshot(*messages: Message, cursor: int = 1, **more: Any) -> Update:
    return Update("snapshot", cursor, Thread("t", "streaming", NOW, NOW), messages, **more)


def chunks(seq: int, *some: Chunk, message_id: str | None = "m", cursor: int = 2) -> Update:
    return Update("chunks", cursor, seq=seq, message_id=message_id, chunks=some)


def shown(*updates: Update) -> list[tuple[str, list[Part]]]:
    view = ThreadView()
    for update in updates:
        view.apply(update)
    return [(message["role"], message["parts"]) for message in view.messages]


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


def test_a_denied_call_shows_its_end_reason_before_a_reload():
    view = ThreadView()
    for update in (snapshot(), chunks(1, CALL, FINISH), chunks(0, denied(reason="No."), cursor=3)):
        view.apply(update)
    (message,) = view.messages
    assert message["end_reasons"] == {"c": "denied"}


def test_messages_of_a_person_arrive_in_order():
    said = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
    news: Chunk = {"type": "data-message", "data": said}
    assert shown(snapshot(), chunks(0, news, message_id=None), chunks(1, delta("yes"))) == [
        ("user", said["parts"]),
        ("assistant", [text("yes", "streaming")]),
    ]


def test_progress_of_a_tool_is_shown_until_its_outcome():
    view = ThreadView()
    view.apply(snapshot())
    run: Chunk = {"type": "data-tool-run", "id": "c", "data": {"status": "running"}}
    progress: list[Chunk] = [{"type": "data-tool-progress", "id": "c", "data": n} for n in (1, 2)]
    view.apply(chunks(1, CALL, FINISH, run, *progress))
    assert (view.progress, view.runs) == ({"c": 2}, {"c": {"status": "running"}})
    view.apply(chunks(1, output(3), cursor=7))
    assert (view.progress, view.runs, view.cursor) == ({}, {}, 7)


def test_the_view_follows_changes_and_deletion_of_its_thread():
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
    """A follower that joins with a snapshot mid-stream ends with the same view as an early one."""
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
