"""Test how a tab follows a thread: every path leads to the same text, and nothing is sent twice."""

from __future__ import annotations

from datetime import UTC, datetime

from agent_core.domain.messages import Message, Thread, Update
from agent_core.streaming.fold import ThreadView
from chat_app.plain_text import units
from chat_app.thread.follower import MESSAGES_PER_PAGE, Follower

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TEXT = "Leases 🎉 run out. 👩‍👩‍👧 Nothing is lost."


def thread(status: str = "streaming", seq: int = 1) -> Thread:
    return Thread(id="t", status=status, created_at=NOW, updated_at=NOW, title="A title", seq=seq)


def prompt(number: int, text: str = "Hello") -> Message:
    return Message(f"u{number}", "t", "user", [{"type": "text", "text": text}], NOW)


def answer(number: int) -> Message:
    return Message(f"a{number}", "t", "assistant", [{"type": "text", "text": f"Answer {number}"}], NOW)


def snapshot(
    *messages: Message, chunks: list[dict] | None = None, status: str = "streaming", claimed: int = 1
) -> Update:
    return Update(
        "snapshot", 1, thread(status, claimed), messages, seq=1, message_id="a", chunks=chunks or []
    )


def chunks(*found: dict, seq: int = 1, message_id: str | None = "a") -> Update:
    return Update("chunks", 2, seq=seq, message_id=message_id, chunks=found)


def delta(text: str) -> dict:
    return {"type": "text-delta", "id": "1", "delta": text}


START = [{"type": "start-step"}, {"type": "text-start", "id": "1"}]


def test_pieces_put_together_are_the_text() -> None:
    follower, text = Follower(), ""
    follower.apply(snapshot(prompt(1)))
    follower.apply(chunks(*START))
    for letter in TEXT:
        follower.apply(chunks(delta(letter)))
        piece = follower.next_slice()
        assert piece is not None
        assert piece.offset == units(text)
        text += piece.chunk
    assert text == TEXT


def test_another_piece_of_text_changes_no_row() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1)))
    changed = []
    for found in (START, [delta("a")], [delta("b")], [delta("c"), delta("d")]):
        follower.apply(chunks(*found))
        changed.append(follower.rows_changed)
    assert changed == [True, True, False, False]
    other = {"type": "text-delta", "id": "2", "delta": "elsewhere"}
    for update in (chunks(other), chunks(delta("e"), seq=2), chunks({"type": "text-end", "id": "1"})):
        follower.apply(update)
        assert follower.rows_changed


def test_incremental_and_full_reading_give_the_same_text() -> None:
    quick, whole = Follower(), ThreadView()
    updates = [snapshot(prompt(1)), chunks(*START), *(chunks(delta(letter)) for letter in TEXT)]
    for update in updates:
        quick.apply(update)
        whole.apply(update)
    piece = quick.next_slice()
    assert piece is not None
    assert piece.chunk == whole.messages[-1]["parts"][-1]["text"] == TEXT


def test_the_live_text_is_in_no_row_until_it_is_finished() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1), chunks=[*START, delta(TEXT)]))
    (part,) = follower.turn()[-1].parts
    assert (part.live, part.text) == (True, "")
    run = part.run
    follower.apply(chunks({"type": "text-end", "id": "1"}, {"type": "finish-step"}))
    (part,) = follower.turn()[-1].parts
    assert (part.live, part.text, part.run) == (False, TEXT, run)
    assert follower.next_slice() is None


def test_a_page_that_missed_something_gets_what_follows() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1), chunks=[*START, delta(TEXT)]))
    piece = follower.next_slice()
    assert piece is not None
    have = units("Leases 🎉")
    again = follower.slice_from(piece.run, have)
    assert again is not None
    assert (again.offset, again.chunk) == (have, TEXT[len("Leases 🎉") :])
    assert follower.slice_from("another run", 0) is None


def test_another_attempt_is_another_run_from_the_beginning() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1), chunks=[*START, delta("Half a")]))
    first = follower.next_slice()
    follower.apply(chunks(*START, delta("Whole"), seq=2))
    second = follower.next_slice()
    assert first is not None
    assert second is not None
    assert first.run != second.run
    assert (second.offset, second.chunk) == (0, "Whole")


def test_a_snapshot_begins_the_text_again() -> None:
    follower = Follower()
    for _ in range(2):
        follower.apply(snapshot(prompt(1), chunks=[*START, delta(TEXT)]))
        piece = follower.next_slice()
        assert piece is not None
        assert (piece.offset, piece.chunk) == (0, TEXT)


def test_the_turn_is_the_last_prompt_and_what_follows() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1), answer(1), prompt(2), answer(2), status="completed"))
    assert [row.id for row in follower.history()] == ["u1", "a1"]
    assert [row.id for row in follower.turn()] == ["u2", "a2"]
    assert follower.stored_prompts() == ["u1", "u2"]


def test_long_history_is_shown_page_by_page() -> None:
    follower = Follower()
    messages = [
        message for number in range(MESSAGES_PER_PAGE) for message in (prompt(number), answer(number))
    ]
    follower.apply(snapshot(*messages, prompt(99), status="completed"))
    assert len(follower.history()) == MESSAGES_PER_PAGE
    assert follower.has_earlier()
    follower.show_earlier()
    assert len(follower.history()) == 2 * MESSAGES_PER_PAGE
    assert not follower.has_earlier()


def looked_up(number: int, state: str = "output-available") -> Message:
    part = {"type": "tool-look", "toolCallId": f"c{number}", "state": state, "input": {}}
    return Message(f"a{number}", "t", "assistant", [part], NOW)


def test_the_times_of_tools_are_asked_for_once_and_for_what_is_shown() -> None:
    follower = Follower()
    talk = [
        message for number in range(2 * MESSAGES_PER_PAGE) for message in (prompt(number), looked_up(number))
    ]
    follower.apply(snapshot(*talk, prompt(99), looked_up(99, "input-available"), status="completed"))
    asked = follower.untimed()
    assert asked == [
        f"a{number}"
        for number in range(2 * MESSAGES_PER_PAGE - MESSAGES_PER_PAGE // 2, 2 * MESSAGES_PER_PAGE)
    ]
    follower.set_times(asked, [])
    assert follower.untimed() == []
    follower.show_earlier()
    assert follower.untimed() == [
        f"a{number}" for number in range(MESSAGES_PER_PAGE, 2 * MESSAGES_PER_PAGE - MESSAGES_PER_PAGE // 2)
    ]
    follower.set_times(follower.untimed(), [])
    for _ in range(2):  # again, as when the step's second tool ends later
        follower.apply(
            chunks({"type": "tool-output-available", "toolCallId": "c99", "output": 1}, message_id="a99")
        )
        assert follower.untimed() == ["a99"]
        follower.set_times(["a99"], [])


def test_a_queued_message_waits_apart_and_comes_last_when_taken_up() -> None:
    follower = Follower()
    queued = prompt(2).to_dict() | {"metadata": {"queued": True}}
    follower.apply(snapshot(prompt(1)))
    follower.apply(chunks({"type": "data-message", "data": queued}, seq=0, message_id=None))
    follower.apply(chunks(*START, delta("First"), {"type": "finish-step"}))
    assert [row.id for row in follower.queued()] == ["u2"]
    assert [row.id for row in follower.turn()] == ["u1", "a"]
    taken = {"type": "data-message", "data": queued | {"metadata": {}}}
    follower.apply(chunks(taken, seq=0, message_id=None))
    assert follower.queued() == []
    assert [row.id for row in follower.history()] == ["u1", "a"]
    assert [row.id for row in follower.turn()] == ["u2"]


def test_reloading_a_page_in_mid_answer_is_no_interruption() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1), chunks=[*START, delta("Half a")]))
    assert not follower.resuming


def test_an_interrupted_answer_is_said_to_be_taken_up_until_something_comes() -> None:
    follower = Follower()
    follower.apply(snapshot(prompt(1), chunks=[*START, delta("Half a")], claimed=2))
    assert follower.resuming
    follower.apply(chunks(delta(" word"), seq=2))
    assert not follower.resuming


def test_another_branch_takes_the_place_of_the_one_before() -> None:
    """An edit, its answer in an empty row and the return to the old version each begin with a snapshot."""
    follower = Follower()
    old = snapshot(prompt(1), answer(1), prompt(2), answer(2), status="completed")
    follower.apply(old)
    empty = Message("a", "t", "assistant", [], NOW)
    follower.apply(snapshot(prompt(1), answer(1), prompt(3), empty))
    assert follower.rows_changed
    assert not follower.resuming
    assert [row.id for row in follower.history()] == ["u1", "a1"]
    assert [row.id for row in follower.turn()] == ["u3", "a"]
    assert follower.stored_prompts() == ["u1", "u3"]
    follower.apply(chunks(*START, delta(TEXT), seq=7))
    piece = follower.next_slice()
    assert piece is not None
    assert (piece.offset, piece.chunk) == (0, TEXT)
    follower.apply(old)
    assert [row.id for row in follower.turn()] == ["u2", "a2"]
    assert follower.next_slice() is None
    follower.apply(snapshot(prompt(1), answer(1), prompt(3), empty, chunks=[*START, delta(TEXT)]))
    again = follower.next_slice()
    assert again is not None
    assert (again.offset, again.chunk) == (0, TEXT), "sent anew, from its beginning"
