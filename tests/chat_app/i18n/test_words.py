"""The words of the pages: every language says the same things, and the scripts' English is the file's."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from chat_app import i18n
from chat_app.demo.planning import plan
from chat_app.i18n import ENGLISH, HOLE, LANGUAGES, Text, forms, read, say
from chat_app.i18n.suggestions import SUGGESTIONS, in_english

APP = Path(i18n.__file__).parents[1]
SAID = re.compile(
    r'\bsay\(\s*("(?:[^"\\]|\\.)*")\s*,\s*("(?:[^"\\]|\\.)*"|\{ (?:one|other): [^}]*"(?:[^"])*" \})'
)
FORMS = {"zero", "one", "two", "few", "many", "other"}
"""What Intl.PluralRules may answer."""


def holes(text: Text) -> set[str]:
    return {hole for form in forms(text) for hole in HOLE.findall(form)}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_language_says_the_same_things(language: str) -> None:
    spoken = read(language)
    assert set(spoken) == set(ENGLISH)
    for key, text in spoken.items():
        assert all(form.strip() for form in forms(text))
        # A sentence of the server names more than a person needs: the id of a thread, for one.
        asked = holes(ENGLISH[key])
        assert holes(text) <= asked if key.startswith("told.") else holes(text) == asked, key


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_text_with_forms_has_one_for_every_number(language: str) -> None:
    for key, text in read(language).items():
        if isinstance(text, dict):
            assert {"other"} <= set(text) <= FORMS, key
            assert "count" in holes(text) or key.startswith("told."), key


def _english(written: str) -> Text:
    """Return the words that stand in a script."""
    return json.loads(re.sub(r"(\{ |, )(one|other): ", r'\1"\2": ', written))


def test_a_script_says_what_the_file_says() -> None:
    found = 0
    for path in APP.rglob("*.jsx"):
        script = path.read_text(encoding="utf-8")
        for key, english in SAID.findall(script):
            assert ENGLISH[json.loads(key)] == _english(english), path
            found += 1
    assert found > 100


def test_no_words_are_kept_that_nobody_says() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in APP.rglob("*") if path.suffix in (".py", ".jsx", ".js")
    )
    said = [key for key in ENGLISH if key != "language.name" and not key.startswith("told.")]
    assert [key for key in said if f'"{key}"' not in sources] == []


def test_a_slip_of_the_developer_is_found_when_the_page_is_made() -> None:
    with pytest.raises(KeyError, match=r"no\.such\.words"):
        say("no.such.words")
    with pytest.raises(ValueError, match="were given"):
        say("composer.send", name="nobody asked for it")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_demo_understands_its_suggestions_in_every_language(language: str) -> None:
    tools = {"clock", "calculator", "search_docs", "slow_task", "ask_human", "send_email"}
    asked = [in_english(f" {read(language)[key]}\n") for key in SUGGESTIONS.values()]
    planned = [[use.tool for batch in plan(text, tools) for use in batch] for text in asked]
    assert planned == [["clock", "calculator"], ["search_docs"], ["slow_task"], ["ask_human", "send_email"]]
    assert in_english("Hallo") == "Hallo"
