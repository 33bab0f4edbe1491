"""Sentences shown to people: text, code and params, all from one catalogue."""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import agent_core
from agent_core import errors
from agent_core.errors import words_of
from agent_core.sentences import _HOLE, TEMPLATES, Sentence, compose, info_of, sentence

SOURCES = Path(str(agent_core.__file__)).parent
SECRET = "sk-abcdefghijklmnop1234567890"


def holes(template: str) -> set[str]:
    return {name for _, _, name in _HOLE.findall(template)}


def calls() -> Iterator[tuple[str, int, ast.Call]]:
    """Yield every call of `sentence` in the source files."""
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "sentence":
                yield path.name, node.lineno, node


def test_every_sentence_is_given_what_its_template_asks_for() -> None:
    wrong = []
    seen = 0
    for file, line, call in calls():
        code = call.args[0]
        if isinstance(code, ast.Constant):
            seen += 1
            given = {keyword.arg for keyword in call.keywords}
            if given != holes(TEMPLATES.get(str(code.value), "{no such code}")):
                wrong.append((file, line))
    assert wrong == []
    assert seen > 60


def test_every_template_is_used() -> None:
    """Codes built by an f-string are not found by name, so they are listed with their module."""
    put_together = {
        "crontab.py": {f"cron_{field}" for field in ("minute", "hour", "day", "month", "weekday")},
        "errors.py": {f"model_{end}_because" for end in ("unreachable", "interrupted", "timed_out")},
    }
    written = {
        node.value
        for path in SOURCES.rglob("*.py")
        if path.name != "sentences.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(TEMPLATES) - written == set().union(*put_together.values())


def test_an_error_says_its_code_and_its_params() -> None:
    error = errors.ThreadBusyError(sentence("thread_busy", thread="thread_1"))
    assert str(error) == "The thread 'thread_1' is running; wait until it is idle, or stop it."
    assert (error.code, error.params) == ("thread_busy", {"thread": "thread_1"})


def test_an_error_in_somebody_elses_words_has_no_code() -> None:
    for error in (errors.ModelError("overloaded", kind="provider_5xx"), errors.ThreadBusyError()):
        assert (error.code, error.params) == (None, {})


def test_a_name_is_shown_on_one_line_and_cut() -> None:
    shown = sentence("thread_not_found", thread="a\nb" + "c" * 100)
    assert shown.startswith("There is no thread 'a\\nbccc")
    assert shown.params["thread"] == "a\\nb" + "c" * 56
    assert sentence("moment_invalid", when=None).params == {"when": "None"}


def test_numbers_are_written_as_english_does_and_given_as_numbers() -> None:
    long = sentence("result_too_long", size=1_200_000, most=1_048_576)
    assert long == "The result is 1,200,000 bytes long; the limit is 1,048,576. Return less."
    assert long.params == {"size": 1_200_000, "most": 1_048_576}
    assert "within 0.5 s" in sentence("tool_timed_out", tool="slow", seconds=0.5)


def test_missing_value_leaves_no_gap_in_a_sentence() -> None:
    assert sentence("model_failed", model="") == "The model failed without an error message."


def test_a_sentence_may_hold_another() -> None:
    fault = sentence("tool_server_lost", server="files", words="gone")
    whole = sentence("tool_may_have_run", words=fault)
    assert whole.startswith("The tool server files was lost in the middle of a call: gone. The tool may")
    info = info_of(whole)
    assert info == {
        "code": "tool_may_have_run",
        "params": {
            "words": {
                "text": "The tool server files was lost in the middle of a call: gone.",
                "code": "tool_server_lost",
                "params": {"server": "files", "words": "gone"},
            }
        },
    }
    assert json.loads(json.dumps(info)) == info


def test_an_application_makes_sentences_of_its_own() -> None:
    error = errors.ValidationError(compose("too_hot", "{degrees} degrees are too hot.", degrees=3))
    assert (str(error), error.code, error.params) == ("3 degrees are too hot.", "too_hot", {"degrees": 3})


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_keeps_its_code(make: object) -> None:
    made = make(sentence("stopped"))  # pyright: ignore[reportCallIssue]
    assert isinstance(made, Sentence)
    assert (made, made.code) == ("stopped", "stopped")


def test_secrets_are_hidden_in_the_params_too() -> None:
    inner = sentence("model_adapter_failed", words=f"Bearer {SECRET}")
    error = errors.ModelError(sentence("tool_did_not_run", words=inner))
    words = words_of(error)
    assert "[hidden]" in words
    assert isinstance(words, Sentence)
    assert SECRET not in json.dumps(words.to_dict())


def test_words_of_any_exception_keep_a_code() -> None:
    words = words_of(RuntimeError(sentence("tool_cancelled_itself", tool="t")))
    assert info_of(words) == {"code": "tool_cancelled_itself", "params": {"tool": "t"}}
    assert info_of(words_of(RuntimeError("anything"))) is None
