"""Error messages: an error's own words, or its type where it has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core.errors import ValidationError, words_of
from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool
from tests.support.agents import agent_on, finished, outcomes, tool_parts

SAID = {
    "a key": (KeyError("key"), "KeyError: 'key'"),
    "a number": (ValueError(404), "ValueError: 404"),
    "None": (RuntimeError(None), "RuntimeError: None"),
    "a dict": (RuntimeError({"a": 1}), "RuntimeError: {'a': 1}"),
    "two values": (Exception("a", 2), "Exception: ('a', 2)"),
    "nothing": (ValueError(), "ValueError"),
    "a blank": (ValueError(" \n"), "ValueError"),
    "an assertion": (AssertionError(), "AssertionError"),
    "an exception": (RuntimeError(OSError("gone")), "RuntimeError: gone"),
    "a class": (RuntimeError(ValueError), "RuntimeError: <class 'ValueError'>"),
    "an index": (IndexError("list index out of range"), "list index out of range"),
    "one word": (RuntimeError("boom"), "boom"),
    "a file": (FileNotFoundError(2, "No such file", "x"), "[Errno 2] No such file: 'x'"),
    "a group": (ExceptionGroup("tasks", [KeyError("a")]), "tasks (1 sub-exception): KeyError: 'a'"),
    "one of ours": (ValidationError("No."), "No."),
}


@pytest.mark.parametrize("name", SAID)
def test_an_error_without_a_sentence_is_named(name: str) -> None:
    error, words = SAID[name]
    assert words_of(error) == words


def test_an_error_that_cannot_be_read_is_named() -> None:
    class SilentError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert words_of(SilentError("x")) == "SilentError"


async def test_a_key_error_of_a_tool_reads_as_one_to_the_model_and_the_person(tmp_path: Path) -> None:
    @action_tool
    def look() -> None:
        """Look."""
        {}["key"]

    model = ScriptedModel([[ToolUse("look", {})], ["ok"]])
    async with agent_on(tmp_path / "a.db", model, tools=[look]) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        assert (await tool_parts(api, thread))[0]["errorText"] == "KeyError: 'key'"
        assert "KeyError: 'key'" in outcomes(model)[0]
