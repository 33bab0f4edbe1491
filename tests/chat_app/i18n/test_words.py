"""Test the words of the pages: every language has the same messages, with its own plural forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_core.errors import ValidationError
from chat_app import i18n
from chat_app.composer.composer_bar import SUGGESTIONS
from chat_app.demo.model import in_english
from chat_app.demo.planning import plan
from chat_app.i18n import ENGLISH, FILES, FORM, HERE, LANGUAGES, PLACEHOLDER, read, register_language, say
from tests.support.scripts.bun import run_script
from tests.support.scripts.markdown import Scripts

APP = HERE.parent
SAID = re.compile(r"""\bsay\(\s*"([^"]+)\"""")
PHRASE = f"""
import {{ phrase }} from {json.dumps(str(HERE / "phrase.js"))};
const {{ messages, key, given, language }} = await Bun.stdin.json();
const said = given.map((values) => phrase(messages, key, values, language) ?? null);
const forms = new Intl.PluralRules(language).resolvedOptions().pluralCategories;
console.log(JSON.stringify({{ said, forms }}));
"""


SAYING = """
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { useWords } from "./chat_app/i18n/words.js";
const Said = () => given.map((each) => useWords()(...each)).join("|");
print(renderToStaticMarkup(createElement(Said)));
"""


def phrase(messages: Any, key: str, given: list[dict[str, Any]], language: str) -> dict[str, Any]:
    """Return a message as the page says it with each of the values, and the language's plural forms."""
    asked = {"messages": messages, "key": key, "given": given, "language": language}
    return run_script(PHRASE, asked)


def stems(messages: dict[str, str]) -> dict[str, dict[str, str]]:
    """Return messages by key without the suffix for the plural form, then by that suffix."""
    found: dict[str, dict[str, str]] = {}
    for key, text in messages.items():
        stem = FORM.sub("", key)
        found.setdefault(stem, {})[key.removeprefix(stem)] = text
    return found


def holes(texts: dict[str, str]) -> set[str]:
    return {hole for text in texts.values() for hole in PLACEHOLDER.findall(text)}


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_language_says_the_same_things(language: str) -> None:
    english, spoken = stems(ENGLISH), stems(read(language))
    assert set(spoken) == set(english)
    for key, texts in spoken.items():
        assert all(text.strip() for text in texts.values())
        # A sentence of the server has params that a translation may omit, such as the id of a thread.
        asked = holes(english[key])
        assert holes(texts) <= asked if key.startswith("sentences.") else holes(texts) == asked, key


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_text_with_forms_has_one_for_every_number(language: str) -> None:
    forms = {f"_{form}" for form in phrase({}, "", [], language)["forms"]}
    for key, texts in stems(read(language)).items():
        if set(texts) != {""}:
            assert set(texts) == forms, key
            assert "count" in holes(texts) or key.startswith("sentences."), key


@pytest.mark.parametrize(
    ("language", "forms", "said"),
    [
        (
            "pl",
            {
                "one": "{{count}} plik",
                "few": "{{count}} pliki",
                "many": "{{count}} plików",
                "other": "{{count}} pliku",
            },
            {1: "1 plik", 3: "3 pliki", 5: "5 plików", 22: "22 pliki", 1.5: "1,5 pliku"},
        ),
        (
            "ru",
            {
                "one": "{{count}} чат",
                "few": "{{count}} чата",
                "many": "{{count}} чатов",
                "other": "{{count}} чата",
            },
            {21: "21 чат", 4: "4 чата", 11: "11 чатов", 0: "0 чатов"},
        ),
        (
            "ar-EG",
            {form: f"{form} {{{{count}}}}" for form in ("zero", "one", "two", "few", "many", "other")},
            {0: "zero ٠", 1: "one ١", 2: "two ٢", 3: "few ٣", 11: "many ١١", 100: "other ١٠٠"},
        ),
    ],
)
def test_a_number_chooses_the_form_of_its_language(
    language: str, forms: dict[str, str], said: dict[float, str]
) -> None:
    messages = {"upload": {f"chosen_{form}": text for form, text in forms.items()}}
    given = [{"count": count} for count in said]
    assert phrase(messages, "upload.chosen", given, language)["said"] == list(said.values())


def test_a_message_that_a_file_lacks_is_left_to_english() -> None:
    """English also replaces a group in place of a message, and names that every JavaScript object has."""
    messages = {"usage": {"unmetered_other": "{{count}} zapytania", "days": "dni"}}
    assert phrase(messages, "usage.unmetered", [{"count": 5}], "pl")["said"] == [
        "5 zapytania"
    ]  # one plural form is missing
    assert phrase(messages, "usage.days", [{"count": 5}], "pl")["said"] == ["dni"]
    for key in ("usage.title", "usage", "share.title", "usage.days.title", "constructor", "usage.toString"):
        assert phrase(messages, key, [{}, {"count": 1}], "pl")["said"] == [None, None]


def test_a_script_of_another_package_may_bring_its_own_english(scripts: Scripts) -> None:
    given = [
        ["sidebar.archive"],
        ["sidebar.archive", "Put away"],
        ["search.found", {"one": "{count} hit", "other": "{count} hits"}, {"count": 2}],
        ["desk.hello", "Hello, {{name}}", {"name": "Ada"}],
        ["desk.unknown"],
    ]
    assert scripts.run(SAYING, given=given) == "Archive|Archive|2 results|Hello, Ada|desk.unknown"


@pytest.fixture
def french(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with two texts, in a project of its own."""
    monkeypatch.chdir(tmp_path)
    known = dict(LANGUAGES), dict(FILES)
    path = tmp_path / "mine" / "fr.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"language": {"name": "Français"}, "composer": {"send": "Envoyer"}}))
    yield path
    for registered, before in zip((LANGUAGES, FILES), known, strict=True):
        registered.clear()
        registered.update(before)
    i18n._registered.clear()  # pyright: ignore[reportPrivateUsage]


def test_a_registered_language_is_offered_and_the_log_says_what_it_lacks(
    french: Path, caplog: pytest.LogCaptureFixture
) -> None:
    register_language(french)
    assert (LANGUAGES["fr"], read("fr")["composer.send"]) == ("Français", "Envoyer")
    served = Path("assets/external/chat_app/i18n/fr.json")
    assert served.resolve() == french
    assert FILES["fr"].startswith("/external/chat_app/i18n/fr.json?v=")
    lacking = len(stems(ENGLISH)) - 2
    assert f"The language fr lacks texts, which are shown in English ({lacking}): " in caplog.text
    assert caplog.messages[-1].endswith(", …")
    caplog.clear()
    given = json.loads((HERE / "en.json").read_text()) | {"language": {"name": "Français"}}
    given["composer"]["send"] = given["sidebar"].pop("search")
    french.write_text(json.dumps(given))
    register_language(french)
    assert caplog.messages == ["The language fr lacks texts, which are shown in English (1): sidebar.search"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "cannot be used"),
        ("[]", "cannot be used"),
        ("[" * 100_000, "cannot be used"),
        ("{}", "has no language.name"),
        ('{"language": {"name": " "}}', "has no language.name"),
        ('{"language": {"name": 7}}', "language.name', which is not a text"),
        ('{"language": {"name": "F"}, "composer": {"send": ["a"]}}', "composer.send', which is not a text"),
        ('{"language": {"name": "F"}, "inbox": {"link": "{{cuont}} autres"}}', "has {{cuont}} in inbox.link"),
        ('{"language.name": "F"}', "format of an older version"),
    ],
)
def test_a_language_file_that_cannot_be_used_is_refused(french: Path, text: str, words: str) -> None:
    french.write_text(text)
    with pytest.raises(ValidationError, match=re.escape(words)):
        register_language(french)
    assert "fr" not in LANGUAGES


def test_a_language_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"fr\.json cannot be used"):
        register_language(tmp_path / "fr.json")


def test_a_file_of_an_older_version_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = {
        "language.name": "Français",
        "timeline.tokens": {"one": "{count} jeton", "other": "{count} jetons"},
    }
    (tmp_path / "fr.json").write_text(json.dumps(old))
    monkeypatch.setattr(i18n, "HERE", tmp_path)
    with pytest.raises(
        ValueError, match=r"fr\.json has the format of an older version\. Nest its keys"
    ) as caught:
        read("fr")
    assert "write {{name}} for {name}, and key_one and key_other" in str(caught.value)
    (tmp_path / "it.json").write_text(json.dumps({"language": {"name": "Italiano"}, "told": {}}))
    with pytest.raises(ValueError, match=r'older version\. Rename "told" to "sentences"'):
        read("it")


def test_scripts_use_existing_words_only() -> None:
    said = {key for path in APP.rglob("*.jsx") for key in SAID.findall(path.read_text(encoding="utf-8"))}
    assert len(said) > 100
    assert said <= set(stems(ENGLISH))


def test_every_word_is_used_by_a_page() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in APP.rglob("*") if path.suffix in (".py", ".jsx", ".js")
    )
    said = [key for key in stems(ENGLISH) if key != "language.name" and not key.startswith("sentences.")]
    assert [key for key in said if f'"{key}"' not in sources] == []


def test_unknown_words_and_values_fail_when_the_page_is_made() -> None:
    with pytest.raises(KeyError, match=r"no\.such\.words"):
        say("no.such.words")
    with pytest.raises(ValueError, match="was given"):
        say("composer.send", name="nobody asked for it")


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_demo_understands_its_suggestions_in_every_language(language: str) -> None:
    tools = {"clock", "calculator", "search_docs", "slow_task", "ask_human", "send_email"}
    asked = [in_english(f" {read(language)[key]}\n") for key in SUGGESTIONS.values()]
    planned = [[use.tool for batch in plan(text, tools) for use in batch] for text in asked]
    assert planned == [["clock", "calculator"], ["search_docs"], ["slow_task"], ["ask_human", "send_email"]]
    assert in_english("Hallo") == "Hallo"
