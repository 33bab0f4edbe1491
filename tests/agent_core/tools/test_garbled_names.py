"""Garbled tool names: the tool runs, people see the name as written, and the thread goes on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agent_core.testing import ScriptedModel, ToolUse
from agent_core.tools import action_tool
from tests.support.agents import agent_on, finished, texts, tool_parts

GARBLED = ["get_weather<|channel|>analysis", "functions.get_weather", " get_weather", "x" * 80, " ", "a/b ü"]
PLAIN = GARBLED[:3]


@action_tool
async def get_weather(city: str) -> str:
    """Get the weather."""
    return f"Sunny in {city}."


def names_sent(model: ScriptedModel) -> list[str]:
    calls = [call for message in model.requests[-1] for call in message.get("tool_calls") or []]
    return [call["function"]["name"] for call in calls]


@pytest.mark.sqlite  # writes the same rows as any call
@pytest.mark.parametrize("written", GARBLED)
async def test_garbled_call_runs_where_it_is_plain_and_is_shown_as_written(path: Path, written: str) -> None:
    model = ScriptedModel([[ToolUse(written, {"city": "Rome"})], ["Done."], ["Still here."]])
    async with agent_on(path, model, tools=[get_weather]) as api:
        thread = await finished(api, await api.create_thread("Weather?"))
        (part,) = await tool_parts(api, thread)
        assert part["type"] == f"tool-{written}"
        if written in PLAIN:
            assert part["output"] == "Sunny in Rome."
            assert names_sent(model) == ["get_weather"]
        else:
            assert "There is no tool" in part["errorText"]
            assert "get_weather" in part["errorText"]
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,64}", names_sent(model)[0])
        before = names_sent(model)
        await api.send_message(thread.id, "And now?")
        thread = await finished(api, thread)
        assert (thread.status, thread.error) == ("completed", None)
        assert names_sent(model) == before, "a name is sent the same way each time"
        assert (await texts(api, thread))[-1] == "Still here."


async def test_thread_poisoned_by_an_older_version_recovers(path: Path) -> None:
    parts: list[dict[str, Any]] = [
        {"type": "step-start"},
        *(
            {
                "type": f"tool-{name}",
                "toolCallId": f"c{n}",
                "state": "output-error",
                "errorText": "No.",
                "input": {},
            }
            for n, name in enumerate(GARBLED)
        ),
        {"type": "step-start"},
        {"type": "text", "text": "Sorry."},
    ]
    model = ScriptedModel([["Alive."]])
    async with agent_on(path, model, tools=[get_weather]) as api:
        thread = await api.create_thread(
            messages=[{"role": "user", "parts": [{"type": "text", "text": "Hi"}]}]
        )
        await api.add_message(thread.id, {"role": "assistant", "parts": parts})
        await api.send_message(thread.id, "And now?")
        thread = await finished(api, thread)
        assert (await texts(api, thread))[-1] == "Alive."
    names = names_sent(model)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name) for name in names)
    assert names.count("get_weather") == len(PLAIN)
    assert len(set(names)) == len(GARBLED) - len(PLAIN) + 1
