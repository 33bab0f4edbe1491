"""Assembly of tool calls from streamed fragments: no call is lost, split or merged with another."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_core.domain.model_adapter import ToolCallDelta
from agent_core.streaming.call_assembly import CallAssembly

Fragment = tuple[int | None, str | None, str | None, str]
ONE, TWO = '{"a": 1}', '{"a": {"b": 2}}'

CASES: dict[str, tuple[list[Fragment], list[tuple[str, str]]]] = {
    "one index, no ids": ([(0, None, "f", ONE), (0, None, "f", TWO)], [("f", ONE), ("f", TWO)]),
    "no index, no ids": ([(None, None, "f", ONE), (None, None, "g", TWO)], [("f", ONE), ("g", TWO)]),
    "one index, one id": ([(0, "x", "f", ONE), (0, "x", "f", TWO)], [("f", ONE), ("f", TWO)]),
    "one index, other ids": (
        [(0, "x", "f", ""), (0, None, None, ONE), (0, "y", "f", ""), (0, None, None, TWO)],
        [("f", ONE), ("f", TWO)],
    ),
    "a name and a fresh id with each piece": (
        [(0, "x", "f", '{"a"'), (0, "y", "f", ": "), (0, "z", "f", "1"), (0, "w", "f", "}")],
        [("f", ONE)],
    ),
    "a fresh id where an object begins": (
        [(0, "x", "f", '{"a": '), (0, "y", "f", '{"b": 2}'), (0, "z", "f", "}")],
        [("f", TWO)],
    ),
    "fresh ids, the first piece empty": (
        [(0, "x", "f", ""), (0, "y", "f", '{"a"'), (0, "z", "f", ": 1}")],
        [("f", ONE)],
    ),
    "the name with each piece": ([(0, None, "f", '{"a"'), (0, None, "f", ": 1}")], [("f", ONE)]),
    "the name and the id with each piece": (
        [(0, "x", "f", '{"a"'), (0, "x", "f", ": 1}"), (0, "x", "f", "")],
        [("f", ONE)],
    ),
    "interleaved indexes": (
        [
            (0, "x", "f", ""),
            (1, "y", "g", ""),
            (0, None, None, '{"a"'),
            (1, None, None, TWO),
            (0, None, None, ": 1}"),
        ],
        [("f", ONE), ("g", TWO)],
    ),
    "interleaved ids at one index": (
        [(0, "x", "f", '{"a"'), (0, "y", "g", TWO), (0, "x", None, ": 1}")],
        [("f", ONE), ("g", TWO)],
    ),
    "interleaved ids of two calls to one tool": (
        [(0, "x", "f", '{"a'), (0, "y", "f", '{"a'), (0, "x", None, '": 1}'), (0, "y", None, '": {"b": 2}}')],
        [("f", ONE), ("f", TWO)],
    ),
    "interleaved ids without an index": (
        [
            (None, "x", "f", '{"'),
            (None, "y", "f", '{"'),
            (None, "y", "f", TWO[2:]),
            (None, "x", "f", ONE[2:]),
        ],
        [("f", ONE), ("f", TWO)],
    ),
    "interleaved ids inside of a text": (
        [(0, "x", "f", '{"a": "b'), (0, "y", "f", '{"a": "c'), (0, "x", "f", '"}'), (0, "y", "f", '"}')],
        [("f", '{"a": "b"}'), ("f", '{"a": "c"}')],
    ),
    "an empty object that holds the place": (
        [(0, "x", "f", "{}"), (0, None, None, '{"a"'), (0, None, None, ": 1}"), (1, "y", "f", "{}")],
        [("f", ONE), ("f", "{}")],
    ),
    "two in one piece": ([(0, "x", "f", ONE + TWO)], [("f", ONE), ("f", TWO)]),
    "three, cut elsewhere": (
        [(0, "x", "f", '{"a": 1'), (0, None, None, '}\n{"a": {'), (0, None, None, '"b": 2}}{"a": 1}')],
        [("f", ONE), ("f", "\n" + TWO), ("f", ONE)],
    ),
    "braces of two objects inside of a text": (
        [(0, "x", "f", '{"a": "}{'), (0, None, None, '}{"}')],
        [("f", '{"a": "}{}{"}')],
    ),
    "one id at two indexes": ([(0, "x", "f", ONE), (1, "x", "f", TWO)], [("f", ONE), ("f", TWO)]),
    "the whole call again at the end": (
        [(0, "x", "f", ""), (0, None, None, ONE), (0, "x", "f", ONE)],
        [("f", ONE)],
    ),
    "other names before any arguments": ([(0, None, "f", ""), (0, None, "g", "")], [("f", ""), ("g", "")]),
    "two without arguments": ([(0, "x", "f", ""), (0, "y", "f", "")], [("f", ""), ("f", "")]),
    "a piece that begins where the call before is whole": (
        [(0, "x", "f", ONE), (0, None, None, TWO)],
        [("f", ONE), ("f", TWO)],
    ),
    "an index that only its first piece has": (
        [(3, "x", "f", '{"a"'), (None, None, None, ": 1}")],
        [("f", ONE)],
    ),
    "a piece with an index of its own": ([(0, "x", "f", '{"a"'), (1, None, None, ": 1}")], [("f", ONE)]),
    "a name after the id": ([(0, "x", None, ""), (0, None, "f", ""), (0, None, None, ONE)], [("f", ONE)]),
    "a brace inside of a text": (
        [(0, "x", "f", '{"a": "b '), (0, None, None, "{c}"), (0, None, None, ' {"}')],
        [("f", '{"a": "b {c} {"}')],
    ),
}


@pytest.mark.parametrize(("fragments", "calls"), CASES.values(), ids=CASES)
def test_assembly_puts_fragments_together(fragments: list[Fragment], calls: list[tuple[str, str]]) -> None:
    assembly = CallAssembly()
    for fragment in fragments:
        for piece in assembly.divide(ToolCallDelta(*fragment)):
            assembly.take(piece)
    assert [(call.name, call.text) for call in assembly.calls] == calls


@settings(max_examples=150)
@given(
    values=st.lists(
        st.dictionaries(
            st.text(max_size=3).filter(lambda key: key[:1] != "{"),
            st.text(max_size=6),
            min_size=1,
            max_size=3,
        ),
        min_size=1,
        max_size=3,
    ),
    style=st.sampled_from(["openai", "zero", "unnumbered", "repeated", "fresh"]),
    cut=st.integers(1, 9),
)
def test_assembly_loses_no_call_in_any_style(values: list[dict[str, str]], style: str, cut: int) -> None:
    assembly, number = CallAssembly(), 0
    for place, value in enumerate(values):
        text = json.dumps(value)
        for start in range(0, len(text), cut):
            number += 1
            named = start == 0 or style in ("repeated", "fresh")
            id = {"openai": f"call{place}", "zero": f"call{place}", "fresh": f"call{number}"}.get(style)
            index = {"openai": place, "unnumbered": None}.get(style, 0)
            given_id = id if named else None
            assembly.take(ToolCallDelta(index, given_id, "f" if named else None, text[start : start + cut]))
    assert [json.loads(call.text) for call in assembly.calls] == values
