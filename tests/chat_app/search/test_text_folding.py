"""Test that the page's highlighting and the server's search fold words in the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import chat_app.search
from agent_core.text.plain_text import search_key
from tests.agent_core.api.test_search import ACCENTED
from tests.support.scripts.bun import run_script

FOLD = Path(chat_app.search.__file__).with_name("text_folding.js")


def run(expression: str, given: object) -> object:
    """Return the value of an expression on `given`, with text_folding.js imported."""
    code = (
        f"import {{ searchKey, split }} from {json.dumps(str(FOLD))};\n"
        f"const given = await Bun.stdin.json();\nconsole.log(JSON.stringify({expression}));"
    )
    return run_script(code, given)


def test_page_and_search_fold_words_alike() -> None:
    words = [word for pair in ACCENTED for word in pair] + ["が", "가", "naïve ÅNGSTRÖM ﬁne Ⅳ ½", "👩‍👩‍👧"]
    assert run("given.map(searchKey)", words) == [search_key(word) for word in words]


@pytest.mark.parametrize(
    ("text", "words", "pieces"),
    [
        ("Meet me at the café now", ["cafe"], ["Meet me at the ", "café", " now"]),
        ("CAFE\u0301s", ["café"], ["", "CAFE\u0301", "s"]),
        ("Straße", ["strasse"], ["", "Straße", ""]),
        ("Zażółć gęślą", ["zolc", "gesl"], ["Za", "żółć", " ", "gęśl", "ą"]),
        ("nothing", ["x"], ["nothing"]),
        ("a.b", ["."], ["a", ".", "b"]),
        ("👩‍👩‍👧 a", [""], ["👩‍👩‍👧 a"]),
    ],
)
def test_split_marks_words_with_their_accents(text: str, words: list[str], pieces: list[str]) -> None:
    assert run("split(...given)", [text, words]) == pieces
