"""Sequence numbers: what a reader gets that resumes after one, however the text was divided."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.http.openai.answers.sequence import MAX_NUMBER, AnswerRestartedError, Mark, Sequence

PIECES = st.lists(st.text("ab \n\0é\ud83d😀", min_size=1, max_size=4), min_size=1, max_size=6)
TEXTS = st.lists(PIECES, min_size=1, max_size=4)


def told(texts: list[list[str]], after: int | None = None) -> list[dict[str, Any]]:
    """Return the events of texts in pieces, each text followed by an event of its own."""
    sequence, events = Sequence(after), list[dict[str, Any]]()
    for pieces in texts:
        for piece in pieces:
            events += sequence.pass_on({"type": "content", "delta": piece})
        events += sequence.pass_on({"type": "done"})
    sequence.check_end()
    return events


def shown(events: list[dict[str, Any]]) -> str:
    return "".join(event.get("delta", "|") for event in events)


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, place=st.integers(0, 20), others=st.data())
def test_reader_gets_the_rest_whatever_the_pieces(texts: list[list[str]], place: int, others: Any) -> None:
    first = told(texts)
    cut = place % len(first)
    divided = [others.draw(divisions("".join(pieces))) for pieces in texts]
    rest = told(divided, first[cut]["sequence_number"])
    assert shown(first[: cut + 1]) + shown(rest) == shown(first)
    numbers = [event["sequence_number"] for event in first]
    assert numbers == sorted(set(numbers))
    assert told(divided)[-1]["sequence_number"] == numbers[-1] <= MAX_NUMBER


@st.composite
def divisions(draw: st.DrawFn, text: str) -> list[str]:
    """Divide a text into pieces."""
    ends = sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=3))) if len(text) > 1 else []
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS, place=st.integers(0, 20))
def test_reader_of_another_answer_is_told(texts: list[list[str]], place: int) -> None:
    first = told(texts)
    number = first[place % len(first)]["sequence_number"]
    for other in ([["other"], *texts], [["z"]]):
        with pytest.raises(AnswerRestartedError):
            told(other, number)


def test_rewinding_suppresses_what_was_told() -> None:
    sequence = Sequence()
    start = sequence.mark
    assert shown(list(sequence.pass_on({"type": "content", "delta": "Half a"}))) == "Half a"
    sequence.rewind(start)
    assert shown(list(sequence.pass_on({"type": "content", "delta": "Half"}))) == ""
    sequence.rewind(start)  # lost again, before it came as far
    assert shown(list(sequence.pass_on({"type": "content", "delta": "Half a word"}))) == " word"
    sequence.rewind(Mark())
    with pytest.raises(AnswerRestartedError):
        list(sequence.pass_on({"type": "content", "delta": "Other words"}))
