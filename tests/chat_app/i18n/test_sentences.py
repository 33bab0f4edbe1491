"""Test the translation of the server's sentences, which the page recognises by their codes."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mcp import MCPError

import chat_app
from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.errors import AgentCoreError, ValidationError, words_of
from agent_core.llm.errors.model_errors import to_model_error
from agent_core.mcp.client import ServerClient
from agent_core.mcp.transports import LOST, UNREACHABLE
from agent_core.schedules.triggers import cron
from agent_core.sentences import TEMPLATES, info_of, sentence
from chat_app.i18n import ENGLISH, HERE, LANGUAGES, PLACEHOLDER, read
from chat_app.model.answer_options import parse_options
from tests.support.scripts.bun import run_script

TELL = """
import { translateSentence } from "./phrase.js";
const { words, language, said } = await Bun.stdin.json();
console.log(JSON.stringify(said.map(([text, info]) => translateSentence(text, info, words, language))));
"""


def composed() -> dict[str, str]:
    """Return the app's own sentences by code, as composed in its sources."""
    found: dict[str, str] = {}
    for path in Path(str(chat_app.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "compose":
                code, template = map(ast.literal_eval, node.args)
                found[code] = template
    return found


def test_english_says_every_sentence_as_its_source_does_but_for_chats_and_no_other() -> None:
    english = {
        key.removeprefix("sentences."): PLACEHOLDER.sub(r"{\1}", text)
        for key, text in ENGLISH.items()
        if key.startswith("sentences.")
    }
    # The page calls a thread a chat.
    sources = {
        code: re.sub(r"(?<!\{)\bthread\b", "chat", text) for code, text in (TEMPLATES | composed()).items()
    }
    assert english == sources
    assert len(composed()) == 9


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_every_language_has_words_for_every_code(language: str) -> None:
    """The params of these words are checked in test_words.py, together with those of all other words."""
    assert {f"sentences.{code}" for code in TEMPLATES | composed()} <= set(read(language))


def speak(said: list[tuple[str, Any]], language: str = "de") -> list[str]:
    """Return sentences translated as the page translates them."""
    words = json.loads((HERE / f"{language}.json").read_text(encoding="utf-8"))
    given = {"words": words, "language": language, "said": said}
    return run_script(TELL.replace("./phrase.js", str(HERE / "phrase.js")), given)


def in_german(*sentences: str) -> list[str]:
    return speak([(text, info_of(text) or {}) for text in sentences])


class MidStreamFallbackError(Exception):
    """An error with the name that litellm gives to a broken stream."""


def provider(kind: str, message: str, status: int | None = None) -> str:
    """Return the library's sentence for an error of a provider or its connection."""
    base = MidStreamFallbackError if kind == "MidStreamFallbackError" else Exception
    error: Any = type(kind, (base,), {"status_code": status, "message": message})(message)
    if kind == "MidStreamFallbackError":
        error.__cause__ = ConnectionError("reset")
    return words_of(to_model_error(error, model="m/x"))


def tool_server(code: int, message: str) -> str:
    """Return the library's sentence for an error of a tool server or its connection."""
    source: Any = SimpleNamespace(_source=SimpleNamespace(name="files", secrets=()), _fault=None)
    return words_of(ServerClient._translated(source, MCPError(code, message)))


def refused(call: Any) -> str:
    """Return the sentence with which the library or the app refuses a user's input."""
    with pytest.raises(AgentCoreError) as caught:
        call()
    return words_of(caught.value)


def made() -> dict[str, str]:
    """Return a real sentence of each composed kind, with its German translation."""
    doubt = "Vielleicht hat das Werkzeug schon gewirkt, vielleicht nicht. Sieh nach, bevor du es erneut versuchst."
    return {
        provider("APIConnectionError", ""): "Das Modell m/x war nicht zu erreichen.",
        provider("APIConnectionError", "No route."): "Das Modell m/x war nicht zu erreichen: No route.",
        provider("Timeout", "30 s"): "Das Modell m/x hat nicht rechtzeitig geantwortet: 30 s.",
        provider("MidStreamFallbackError", "Reset."): "Die Antwort des Modells m/x brach ab: Reset.",
        provider(
            "InternalServerError", "", 500
        ): "Das Modell m/x ist ohne Fehlermeldung fehlgeschlagen (Status 500).",
        tool_server(
            UNREACHABLE, "refused"
        ): "Der Werkzeugserver files ist nicht zu erreichen: refused. Das Werkzeug lief nicht.",
        tool_server(
            LOST, "gone"
        ): f"Die Verbindung zum Werkzeugserver files riss mitten in einem Aufruf ab: gone. {doubt}",
        refused(
            lambda: cron("0 0 * 13 *")
        ): "„13“ ist in einem Cron-Ausdruck nicht möglich (Feld: Monat); möglich ist 1 bis 12.",
        refused(
            lambda: parse_options("", "", "warm")
        ): "Die Temperatur ist „warm“; möglich ist eine Zahl von 0 bis 2 oder gar nichts.",
        refused(
            lambda: parse_options("", "x" * 20_001, "")
        ): "Die Anweisungen haben 20.001 Zeichen; höchstens 20.000 sind möglich.",
    }


def test_sentence_made_of_several_is_translated_whole() -> None:
    wanted = made()
    assert in_german(*wanted) == list(wanted.values())


def test_sentence_may_hold_another() -> None:
    held = sentence("model_adapter_failed", words=sentence("database_closed"))
    assert in_german(held, IN_DOUBT.text, sentence("thread_not_found", thread="thread_1")) == [
        "Die Anbindung des Modells ist fehlgeschlagen: Der Server wird gerade beendet; versuche es gleich erneut.",
        "Der Prozess endete, während dieses Werkzeug lief. Vielleicht hat es schon gewirkt, vielleicht nicht. "
        "Es wurde nicht noch einmal ausgeführt: Sieh nach, bevor du es erneut versuchst.",
        "Diesen Chat gibt es hier nicht; vielleicht wurde er gelöscht.",
    ]


def test_sentence_without_a_code_stays_as_it_is() -> None:
    """Covers a provider's words, a row older than the codes, and a code of a newer version."""
    newer = {"code": "of_a_newer_version", "params": {}}
    said: list[tuple[str, Any]] = [
        ("", {}),
        ("Incorrect API key provided: sk-…", {}),
        (str(IN_DOUBT.text), {}),
        ("stopped", None),
        ("As it is.", newer),
        ("As it is.", {"code": "constructor", "params": {}}),
    ]
    assert speak(said) == [text for text, _ in said]


def test_values_in_a_sentence_are_data() -> None:
    """Braces and dollars stay unchanged, and numbers are written as usual in the language."""
    assert in_german(
        sentence("tool_timed_out", tool="{tool} $& {count}", seconds=0.5),
        sentence("tool_gone", tool="it'"),
        sentence("result_too_long", size=1_200_000, most=1_048_576),
    ) == [
        "Das Werkzeug {tool} $& {count} hat nicht innerhalb von 0,5 s geantwortet.",
        "Das Werkzeug „it'“ gibt es nicht mehr.",
        "Das Ergebnis ist 1.200.000 Byte lang; höchstens 1.048.576 sind möglich.",
    ]


def test_an_error_of_an_application_needs_no_code() -> None:
    assert in_german(words_of(ValidationError("My own words."))) == ["My own words."]
