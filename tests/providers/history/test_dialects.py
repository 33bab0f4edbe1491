"""Test that each dialect's strict provider accepts the requests that litellm makes of a thread's history."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, Runtime, action_tool, async_tool, define_internal_agent_api
from agent_core.context.provider_messages import repair
from agent_core.llm import LitellmModel, ModelRequest
from agent_core.testing import eventually
from tests.providers.dialects import DIALECTS, Dialect, Use, serving
from tests.support.agents import AT_ONCE, finished, texts, tool_parts
from tests.support.databases import prepared

Message = dict[str, Any]


NAMES = ("openai", "anthropic", "gemini-2.5", "gemini", "ollama")  # gemini-2.5 has no call ids
every_dialect = pytest.mark.parametrize("dialect", [DIALECTS[name] for name in NAMES], ids=NAMES)

HI = {"role": "user", "content": "Hi"}


def asked(*calls: tuple[str, str, dict[str, Any]], text: str | None = None) -> Message:
    uses = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for id, name, arguments in calls
    ]
    return {"role": "assistant", "content": text, "tool_calls": uses}


def outcome(id: str, content: str) -> Message:
    return {"role": "tool", "tool_call_id": id, "content": content}


A, B, SAME = ("a", "clock", {"zone": "UTC"}), ("b", "clock", {"zone": "CET"}), ("c", "clock", {"zone": "UTC"})
LOOK = ("d", "look", {})
HISTORIES: dict[str, list[Message]] = {
    "two tools at once": [
        HI,
        asked(A, LOOK, text="So."),
        outcome("a", "12"),
        outcome("d", '{"seen": 1}'),
        HI,
    ],
    "out of order": [HI, asked(A, B, LOOK), outcome("d", "[1]"), outcome("b", "13"), outcome("a", "12")],
    "one tool twice": [HI, asked(A, B), outcome("a", "12"), outcome("b", "13")],
    "the same call twice": [HI, asked(A, LOOK, SAME), *map(outcome, "adc", ("12", "x", "13")), HI],
    "the same call in two steps": [HI, asked(A), outcome("a", "12"), asked(SAME), outcome("c", "13")],
    "one and true": [
        HI,
        asked(("a", "look", {"n": 1}), ("b", "look", {"n": True})),
        *map(outcome, "ab", "xy"),
    ],
    "dangling": [HI, asked(A, B, SAME), outcome("b", "13"), HI],
    "dangling at the end": [HI, asked(A, SAME)],
    "orphan": [
        HI,
        outcome("x", "?"),
        asked(A),
        outcome("a", "12"),
        outcome("a", "14"),
        HI,
        outcome("b", "13"),
    ],
    "one id in two turns": [HI, asked(A), outcome("a", "12"), HI, asked(A), outcome("a", "13")],
    "error": [HI, asked(A, LOOK), outcome("a", "Error: No clock here."), outcome("d", ""), HI],
    "text between": [
        HI,
        asked(A, text="One"),
        outcome("a", "12"),
        {"role": "assistant", "content": "Two"},
        HI,
    ],
}


@every_dialect
@pytest.mark.parametrize("what", HISTORIES)
async def test_provider_accepts_a_repaired_history(dialect: Dialect, what: str) -> None:
    history = repair(HISTORIES[what])
    async with serving(dialect, ["Well."]) as server:
        request = ModelRequest(history, [clock.schema(), look.schema()])
        assert [event async for event in LitellmModel(dialect.model, **server.options).stream(request)]
    sent = json.dumps(server.requests[0], ensure_ascii=False)
    words = [str(message["content"]) for message in history if message["role"] == "tool"]
    places = [place for place in map(sent.find, words) if place >= 0]
    assert len(places) >= len(words) - words.count("") - words.count('{"seen": 1}'), "none is left out"


@action_tool
async def clock(zone: str = "UTC") -> str:
    """Tell the time."""
    return f"12 in {zone}"


@action_tool
async def look() -> str:
    """Look."""
    raise OSError("It is dark.")


@async_tool
async def ask() -> None:
    """Ask a person."""


@every_dialect
async def test_provider_accepts_every_request_of_a_thread(dialect: Dialect, tmp_path: Path) -> None:
    """Equal, failed and unknown calls, a regenerated answer, a stop at an open question, another turn."""
    zone = Use("clock", {"zone": "UTC"})
    turns = [
        ["I look.", zone, Use("look"), zone, Use("nothing"), Use("clock", {"zone": "CET"})],
        ["Well."],
        [zone, zone],
        ["Well, again."],
        [Use("ask"), Use("ask")],
        ["Never mind."],
    ]
    async with (
        serving(dialect, *turns) as server,
        Runtime(prepared(tmp_path / "agents.db")) as runtime,
    ):
        tools = [clock, look, ask]
        agent = Agent("a", dialect.model, tools=tools, retry=AT_ONCE, context=None, **server.options)
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread("Go"))
        assert (thread.status, thread.error) == ("completed", None)
        assert len(await tool_parts(api, thread)) == 5
        await api.regenerate(thread.id, (await api.list_messages(thread.id))[-1].id)
        thread = await finished(api, thread)
        assert (thread.error, len(await tool_parts(api, thread))) == (None, 2)
        await api.send_message(thread.id, "And you?")
        await eventually(lambda: len(server.requests) == 5)
        await eventually(lambda: _waits(api, thread.id))
        await api.stop_thread(thread.id)
        await api.send_message(thread.id, "Go on.")
        thread = await finished(api, thread)
        assert (thread.status, thread.error) == ("completed", None)
        assert (await texts(api, thread))[-1] == "Never mind."
        assert len(server.requests) == len(turns)
        assert server.violations == []


async def _waits(api: Any, thread_id: str) -> bool:
    return (await api.get_thread(thread_id)).status == "awaiting_tool_results"
