"""The words of the pages: every language says the same things, and the scripts' English is the file's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chat_app import words
from chat_app.words import ENGLISH, HOLE, LANGUAGES, read, say

APP = Path(words.__file__).parents[1]
SAID = re.compile(r'\bsay\(\s*("(?:[^"\\]|\\.)*")\s*,\s*("(?:[^"\\]|\\.)*")')


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_language_says_the_same_things(language: str) -> None:
    spoken = read(language)
    assert set(spoken) == set(ENGLISH)
    for key, text in spoken.items():
        assert text.strip()
        assert sorted(HOLE.findall(text)) == sorted(HOLE.findall(ENGLISH[key])), key


def test_a_script_says_what_the_file_says() -> None:
    found = 0
    for path in APP.rglob("*.jsx"):
        for key, english in SAID.findall(path.read_text(encoding="utf-8")):
            assert ENGLISH[json.loads(key)] == json.loads(english), path
            found += 1
    assert found


def test_no_words_are_kept_that_nobody_says() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in APP.rglob("*") if path.suffix in (".py", ".jsx", ".js")
    )
    assert [key for key in ENGLISH if f'"{key}"' not in sources and key != "language.name"] == []


def test_a_slip_of_the_developer_is_found_when_the_page_is_made() -> None:
    with pytest.raises(KeyError, match=r"no\.such\.words"):
        say("no.such.words")
    with pytest.raises(ValueError, match="were given"):
        say("composer.send", name="nobody asked for it")
