"""Trimming: the request of any history fits, is paired and ends with the newest turn."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core import Agent
from agent_core.context import ContextPolicy, ContextResult, SummariseOldest, TrimOldest
from agent_core.context.cut import NOTHING, SHORTEST, Cut, cut_from_note, fingerprint, shorten, split, turns
from agent_core.context.token_meter import IMAGE_TOKENS, at_most
from agent_core.errors import ModelError, ValidationError
from agent_core.testing import ScriptedModel
from tests.support.contexts import METER, PICTURE, TOOLS, apply, histories, is_cut_of, size

SYSTEM = {"role": "system", "content": "Be kind."}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def says(text: str) -> dict[str, Any]:
    return {"role": "assistant", "content": text}


def looks(*outcomes: str) -> list[dict[str, Any]]:
    ids = [f"c{number}" for number, _ in enumerate(outcomes)]
    calls = [
        {"id": each, "type": "function", "function": {"name": "look", "arguments": "{}"}} for each in ids
    ]
    found = [
        {"role": "tool", "tool_call_id": each, "content": text}
        for each, text in zip(ids, outcomes, strict=True)
    ]
    return [{"role": "assistant", "content": None, "tool_calls": calls}, *found]


def talk(turns: int, words: int = 50) -> list[dict[str, Any]]:
    text = "word " * words
    return [message for number in range(turns) for message in (user(f"{number} {text}"), says(text))]


def attempt(
    policy: ContextPolicy, history: list[dict[str, Any]], note: Any = None
) -> ContextResult | ModelError:
    """Apply a policy and return its result, or the error that says that nothing fits."""
    try:
        return apply(policy, history, note)
    except ModelError as error:
        return (
            error
            if error.kind == "context_window_exceeded" and not error.retryable
            else pytest.fail(str(error))
        )


windows = st.integers(40, 30_000)


@settings(max_examples=100, deadline=None)
@given(histories(), windows)
def test_request_of_any_history_fits(history: list[dict[str, Any]], window: int):
    before = copy.deepcopy(history)
    policy = TrimOldest(max_tokens=window)
    result = attempt(policy, history)
    assert history == before
    if isinstance(result, ModelError):
        assert size(smallest(history)) > window
        return
    sent = result.messages
    is_cut_of(sent, history)
    assert min(size(sent), at_most(sent, TOOLS)) <= window
    assert (result.note is None) == (sent == history)
    assert apply(policy, history) == result, "the same history is cut the same way"
    assert apply(policy, sent).messages == sent, "what fits stays"
    note = json.loads(json.dumps(result.note))
    again = apply(policy, history, note)
    assert (again.messages, again.note) == (sent, None), "the cut stays where it is, and is told once"


def smallest(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    head, body = split(history)
    last = body[turns(body)[-1] :]
    return head + [
        {**message, "content": shorten(message["content"], SHORTEST)}
        if message["role"] == "tool"
        and METER.text(shorten(message["content"], SHORTEST)) < METER.text(message["content"])
        else message
        for message in last
    ]


@settings(max_examples=100, deadline=None)
@given(histories(), windows, st.lists(st.sampled_from(["hi", "word " * 300]), max_size=12))
def test_a_cut_moves_only_when_it_must(history: list[dict[str, Any]], window: int, more: list[str]):
    """Requests of a growing thread keep the same beginning until they exceed the window again."""
    policy, note, sent = TrimOldest(max_tokens=window), None, None
    for text in ["hi", *more]:
        history = [*history, user(text), says("Well.")]
        result = attempt(policy, history, note)
        if isinstance(result, ModelError):
            return
        if result.note is None and sent is not None:
            assert result.messages == [*sent, *history[-2:]]
        elif sent is not None:
            assert size([*sent, *history[-2:]]) > window
        note, sent = result.note or note, result.messages
        assert min(size(sent), at_most(sent, TOOLS)) <= window


_places = st.integers(-2, 20)
_nonsense = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=3)
)
_notes = _nonsense | st.fixed_dictionaries(
    {},
    optional={
        "dropped_messages": _places | _nonsense,
        "window": st.integers() | _nonsense,
        "summary": st.text(max_size=9) | _nonsense,
        "shortened": st.lists(st.tuples(_places, _places).map(list) | _nonsense, max_size=4) | _nonsense,
    },
)


@settings(max_examples=100, deadline=None)
@given(histories(), _notes)
def test_a_note_that_makes_no_sense_does_no_harm(history: list[dict[str, Any]], note: Any):
    body = split(history)[1]
    if isinstance(note, dict) and isinstance(dropped := note.get("dropped_messages"), int) and dropped >= 0:
        note["begins_with"] = fingerprint(body, dropped)
    cut = cut_from_note(note, body)
    if cut is not None:
        is_cut_of(cut.apply(*split(history)), history)
    result = attempt(TrimOldest(max_tokens=500), history, note)
    if not isinstance(result, ModelError):
        is_cut_of(result.messages, history)


def test_the_oldest_turns_go_and_the_system_prompt_stays():
    history = [SYSTEM, *talk(20)]
    result = apply(TrimOldest(max_tokens=1_000), history)
    assert result.messages[0] == SYSTEM
    assert result.messages[1:] == history[-len(result.messages) + 1 :]
    assert 600 < size(result.messages) <= 700
    assert result.note == {
        "dropped_messages": 41 - len(result.messages),
        "dropped_turns": (41 - len(result.messages)) // 2,
        "kept": len(result.messages) - 1,
        "begins_with": result.note["begins_with"],  # pyright: ignore[reportOptionalSubscript]
        "tokens": size(result.messages),
        "window": 1_000,
        "summarised": False,
    }


def test_a_system_message_just_before_a_persons_stays_with_it():
    told = {"role": "system", "content": "The plan is now pro."}
    newest = [told, user("Now?"), says("Yes.")]
    result = apply(TrimOldest(max_tokens=600), [SYSTEM, *talk(20), *newest])
    assert result.messages[-3:] == newest
    assert apply(TrimOldest(max_tokens=100), [SYSTEM, *talk(20), *newest]).messages == [SYSTEM, *newest]


def test_a_thread_that_fits_is_not_touched():
    history = [SYSTEM, *talk(5)]
    for policy in (TrimOldest(), TrimOldest(max_tokens=100_000), SummariseOldest(max_tokens=100_000)):
        result = apply(policy, history)
        assert result.messages is history
        assert result.note is None


def test_the_oldest_outcomes_of_the_newest_turn_are_shortened():
    history = [user("Look"), *looks("a" * 9_000, "b" * 300), *looks("c" * 900)]
    result = apply(TrimOldest(max_tokens=1_000), history)
    long, short, newest = (message["content"] for message in result.messages if message["role"] == "tool")
    assert long.startswith("aaaa")
    assert long.endswith("aaaa")
    assert "characters are left out" in long
    assert (short, newest) == ("b" * 300, "c" * 900)
    assert 500 < size(result.messages) <= 1_000
    assert result.note
    assert result.note["shortened"][0][0] == 2


def test_one_outcome_that_is_too_long_does_not_cost_the_whole_conversation():
    history = [SYSTEM, *talk(6), user("Read it all"), *looks("x" * (1 << 20))]
    result = apply(TrimOldest(max_tokens=2_000), history)
    assert size(result.messages) <= 2_000
    assert user(history[-4]["content"]) in result.messages or len(result.messages) > 5
    assert result.messages[-1]["content"].startswith("x" * 1_000)


def test_shortened_outcomes_are_forgotten_once_they_are_left_out():
    history = [user("Look"), *looks("a" * 9_000), says("Seen.")]
    first = apply(TrimOldest(max_tokens=1_000), history)
    assert first.note
    assert first.note["shortened"]
    later = [*history, user("b" * 2_000), says("c" * 1_000)]
    second = apply(TrimOldest(max_tokens=1_000), later, first.note)
    assert second.messages == later[-2:]
    assert second.note
    assert "shortened" not in second.note


def test_a_larger_model_is_sent_more_and_says_so():
    history = talk(40)
    small = apply(TrimOldest(max_tokens=1_000), history)
    same = apply(TrimOldest(max_tokens=1_200), history, small.note)
    assert (same.messages, same.note) == (small.messages, None)
    large = apply(TrimOldest(max_tokens=100_000), history, small.note)
    assert large.messages == history
    assert large.note
    assert large.note["dropped_messages"] == 0


def test_a_message_that_is_too_long_fails_with_what_to_do():
    with pytest.raises(ModelError, match=r"needs about .* takes 100\. Shorten the message") as caught:
        apply(TrimOldest(max_tokens=100), [user("word " * 1_000)])
    assert (caught.value.kind, caught.value.retryable) == ("context_window_exceeded", False)
    with pytest.raises(ModelError, match="System prompt and tools alone"):
        apply(TrimOldest(max_tokens=20), [{**SYSTEM, "content": "word " * 50}, user("Hi")])


def test_a_picture_is_counted_flat():
    small = {"role": "user", "content": [PICTURE]}
    large = {
        "role": "user",
        "content": [{**PICTURE, "image_url": {"url": "data:image/png;base64," + "A" * 9_000_000}}],
    }
    assert METER.message(small) == METER.message(large) == IMAGE_TOKENS + 8


def test_empty_histories_are_left_as_they_are():
    for history in ([], [SYSTEM], [says("Hello")]):
        assert apply(TrimOldest(max_tokens=200), history).messages == history
    assert cut_from_note({"dropped_messages": 0, "begins_with": ""}, []) == NOTHING


def test_a_note_is_not_read_in_another_thread_than_its_own():
    note = apply(TrimOldest(max_tokens=1_000), talk(20)).note
    assert note
    assert cut_from_note(note, talk(20)) is not None
    assert cut_from_note(note, talk(21)[2:]) is None
    assert cut_from_note(note | {"begins_with": None}, talk(20)) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"dropped_messages": -1},
        {"dropped_messages": 3},
        {"dropped_messages": 4},
        {"dropped_messages": 7},
        {"dropped_messages": "2"},
        {"shortened": [[5, 0]]},
        {"shortened": [[3, 9]]},
        {"shortened": [[2, 9]]},
        {"shortened": [[1, 9]]},
        {"shortened": [[7, 9]]},
        {"shortened": [[5]]},
        {"shortened": "5"},
        {"summary": 5},
    ],
    ids=str,
)
def test_a_note_with_a_mistake_is_not_read(wrong: dict[str, Any]):
    body = [user("One"), says("1"), user("Two"), *looks("outcome", "outcome"), says("2")]
    right: dict[str, Any] = {"dropped_messages": 2, "shortened": [[5, 3]], "summary": "One."}
    assert cut_from_note(right | {"begins_with": fingerprint(body, 2)}, body) == Cut(2, {5: 3}, "One.")
    note = right | wrong
    place = note["dropped_messages"]
    assert (
        cut_from_note(
            note | {"begins_with": fingerprint(body, place) if isinstance(place, int) else ""}, body
        )
        is None
    )


@pytest.mark.parametrize("wrong", [{"keep": 0}, {"keep": 1}, {"keep": -1}, {"max_tokens": 0}])
def test_arguments_out_of_range_are_refused(wrong: dict[str, Any]):
    for policy in (TrimOldest, SummariseOldest):
        with pytest.raises(ValidationError):
            policy(**wrong)


def test_a_policy_is_a_function_or_none():
    with pytest.raises(ValidationError, match="TrimOldest"):
        Agent("a", ScriptedModel([]), context=5)  # pyright: ignore[reportArgumentType]
    assert Agent("a", ScriptedModel([])).context == TrimOldest()
    assert Agent("a", ScriptedModel([]), context=None).context is None
