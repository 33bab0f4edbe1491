"""Test offsets in text: the browser and Python must mean the same place by the same number."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chat_app.text
from chat_app.plain_text import clean_text, from_unit, shorten, units
from tests.support.scripts.bun import run_script

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
REVEAL = Path(chat_app.text.__file__).with_name("text_reveal.js")


@pytest.mark.parametrize(
    ("text", "length"), [("", 0), ("abc", 3), ("é", 1), ("🎉", 2), ("a👩‍👩‍👧b", 10), ("𝒳", 2)]
)
def test_units_are_utf16_code_units(text: str, length: int) -> None:
    assert units(text) == length


@given(TEXTS, st.integers(0, 40))
def test_rest_is_what_follows_a_prefix(text: str, cut: int) -> None:
    assert from_unit(text, units(text[:cut])) == text[cut:]


def test_an_offset_inside_a_character_counts_as_before_it() -> None:
    assert from_unit("a🎉b", 2) == "🎉b"


def test_lone_surrogates_and_nul_become_replacement_characters() -> None:
    assert clean_text("a\ud800b\x00") == "a\ufffdb\ufffd"
    assert clean_text("\ud83c\udf89") == "🎉"


def test_shorten_keeps_short_text() -> None:
    assert shorten("short", 5) == "short"
    assert shorten("longer", 5) == "long…"


def in_the_browser(script: str) -> object:
    """Run a script next to reveal.js, in the JavaScript engine that builds the pages."""
    return run_script(f"import {{ Reveal, wholeCharacters }} from {json.dumps(str(REVEAL))};\n{script}")


def test_pieces_from_python_merge_in_javascript_whatever_is_sent_twice() -> None:
    text = "Ende gut 🎉 — 👩‍👩‍👧‍👦 und 𝒳, مرحبا, é " * 20
    cuts = sorted({*range(0, len(text), 7), len(text)})
    pieces = [(units(text[:a]), text[a:b]) for a, b in pairwise(cuts)]
    sent = json.dumps([*pieces[:5], *pieces[2:], *pieces[-3:]])
    merged = in_the_browser(
        f"const r = new Reveal('x'); const ok = {sent}.map(([o, c]) => r.merge(o, c));"
        "console.log(JSON.stringify([r.text, ok.every(Boolean)]))"
    )
    assert merged == [text, True]


def test_a_piece_that_comes_too_early_is_refused_and_says_what_is_there() -> None:
    answer = in_the_browser(
        "const r = new Reveal('x'); r.merge(0, 'a🎉');"
        "console.log(JSON.stringify([r.merge(9, 'later'), r.received, r.merge(r.received, 'b'), r.text]))"
    )
    assert answer == [False, 3, True, "a🎉b"]
    assert from_unit("a🎉b", 3) == "b"


def test_shown_text_never_ends_inside_a_character() -> None:
    shown = in_the_browser(
        "const r = new Reveal('x'); r.merge(0, '👩‍👩‍👧‍👦🎉é'.repeat(9)); const seen = [];"
        "while (r.pending) { r.advance(1); seen.push(r.text.slice(0, r.shown)); }"
        "console.log(JSON.stringify(seen))"
    )
    assert isinstance(shown, list)
    assert shown[-1] == "👩‍👩‍👧‍👦🎉é" * 9
    for text in shown:
        text.encode()  # fails on half of a surrogate pair
        assert not text.endswith("\u200d")


def test_a_final_text_goes_on_from_what_was_shown_or_is_refused() -> None:
    answer = in_the_browser(
        "const r = new Reveal('x'); r.merge(0, 'Hello w'); r.showAll();"
        "console.log(JSON.stringify([r.settle('Hello world'), r.shown, r.settle('Bye'), r.text]))"
    )
    assert answer == [True, 7, False, "Hello world"]
