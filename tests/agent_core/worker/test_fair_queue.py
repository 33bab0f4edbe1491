"""The order of waiting work: people in turn, then their threads in turn, then its age."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core.worker.fair_queue import FairQueue

moves = st.lists(
    st.tuples(st.sampled_from(["put", "put", "pop", "remove"]), st.integers(0, 2), st.integers(0, 2)),
    max_size=60,
)


def drained(queue: FairQueue[str]) -> list[str]:
    return [queue.pop() for _ in range(len(queue))]


def test_single_item_of_a_person_runs_before_the_many_of_another() -> None:
    queue = FairQueue[str]()
    for number in range(500):
        queue.put("p", f"p{number}", f"p{number}")
    queue.put("q", "q0", "q0")
    assert drained(queue)[:4] == ["p0", "q0", "p1", "p2"]


def test_threads_of_one_person_take_turns() -> None:
    queue = FairQueue[str]()
    for number in range(50):
        queue.put("p", "big", f"big{number}")
    queue.put("p", "small", "small0")
    queue.put("p", "small", "small1")
    assert drained(queue)[:5] == ["big0", "small0", "big1", "small1", "big2"]


def test_a_person_who_comes_again_waits_for_one_turn_only() -> None:
    queue = FairQueue[str]()
    for number in range(10):
        queue.put("p", f"p{number}", f"p{number}")
    for number in range(3):
        queue.put("q", "q", f"q{number}")
        assert {queue.pop(), queue.pop()} > {f"q{number}"}


def test_an_empty_queue_has_no_next_item() -> None:
    queue = FairQueue[str]()
    queue.put("p", "t", "item")
    assert queue.remove("t") == ["item"]
    assert queue.remove("t") == []
    with pytest.raises(IndexError):
        queue.pop()


@given(moves)
def test_queue_loses_and_doubles_nothing(history: list[tuple[str, int, int]]) -> None:
    """Items of a thread leave in their order, and nobody is passed over twice while they wait."""
    queue, inside, out = FairQueue[tuple[int, int, int]](), list[tuple[int, int, int]](), 0
    passed = Counter[int]()
    for number, (move, person, thread) in enumerate(history):
        name = f"{person}.{thread}"
        if move == "put":
            queue.put(str(person), name, (person, thread, number))
            inside.append((person, thread, number))
        elif move == "pop" and inside:
            item = queue.pop()
            same = [one for one in inside if one[:2] == item[:2]]
            assert item == same[0], "the oldest of its thread"
            inside.remove(item)
            waiting = {one[0] for one in inside} - {item[0]}
            passed = Counter({one: passed[one] + 1 for one in waiting})
            assert all(times <= 3 for times in passed.values()), (
                "at most once by each other person, and by one new"
            )
            out += 1
        elif move == "remove":
            assert queue.remove(name) == [one for one in inside if one[:2] == (person, thread)]
            inside = [one for one in inside if one[:2] != (person, thread)]
        assert len(queue) == len(inside)
        assert sorted(queue) == sorted(inside)
