"""Test agents against aimock: parallel calls, several turns, two dialects and realistic pauses."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agent_core.llm import Finish, LitellmModel, ModelRequest, ReasoningDelta, TextDelta
from tests.providers.conftest import agent_api, ask, text

pytestmark = [pytest.mark.provider, pytest.mark.usefixtures("both_paths")]

DIALECTS = {"openai": ("openai/gpt-4o-mini", "/v1"), "anthropic": ("anthropic/claude-sonnet-5", "")}


@pytest.fixture(params=DIALECTS)
def model(request: pytest.FixtureRequest, aimock_url: str) -> tuple[str, dict[str, Any]]:
    name, path = DIALECTS[request.param]
    return name, {"api_base": aimock_url + path, "api_key": "mock-mock-mock", "timeout": 5.0}


def tools_of(message: Any) -> list[tuple[str, Any, Any]]:
    return [
        (part["toolCallId"], part["input"], part.get("output"))
        for part in message.parts
        if part["type"].startswith("tool-")
    ]


async def test_agent_runs_two_calls_of_one_step(model: tuple[str, dict[str, Any]], tmp_path: Path):
    name, options = model
    async with agent_api(tmp_path, name, **options) as api:
        thread, message = await ask(api, "Tell me the weather in two cities")
    assert thread.status == "completed"
    assert tools_of(message) == [
        ("call_paris", {"city": "Paris"}, "It is sunny in Paris."),
        ("call_oslo", {"city": "Oslo"}, "It is sunny in Oslo."),
    ]
    assert text(message) == "I will look at both.\n\nParis is sunny and Oslo is sunny."


async def test_agent_runs_one_call_after_the_other(model: tuple[str, dict[str, Any]], tmp_path: Path):
    name, options = model
    async with agent_api(tmp_path, name, **options) as api:
        thread, message = await ask(api, "The weather, one after the other")
    assert thread.status == "completed"
    assert [(id, input["city"]) for id, input, _ in tools_of(message)] == [
        ("call_1", "Rome"),
        ("call_2", "Bern"),
    ]
    assert [part["type"] for part in message.parts] == [
        *["step-start", "tool-get_weather"] * 2,
        "step-start",
        "text",
    ]
    assert text(message) == "Rome first, then Bern."


async def test_reasoning_comes_apart_from_text(model: tuple[str, dict[str, Any]]):
    name, options = model
    name = name.replace("gpt-4o-mini", "deepseek-reasoner")  # aimock requires a reasoning model
    request = ModelRequest([{"role": "user", "content": "think first"}])
    events = [event async for event in LitellmModel(name, **options).stream(request)]
    thought = "".join(event.text for event in events if isinstance(event, ReasoningDelta))
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert (thought, said) == ("Let me think about it.", "Here is the answer.")
    assert events[-1] == Finish("stop")


async def test_deltas_come_as_they_are_written(model: tuple[str, dict[str, Any]]):
    """Nothing between the provider and the adapter may hold tokens back until the answer is complete."""
    name, options = model
    request = ModelRequest([{"role": "user", "content": "slowly"}])
    events = LitellmModel(name, **options).stream(request)
    times = [time.monotonic() async for event in events if isinstance(event, TextDelta)]
    apart = sum(later - earlier > 0.01 for earlier, later in pairwise(times))
    assert len(times) >= 8
    assert apart >= 3, "some come together where the machine pauses; held back, all of them would"


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("cut short", "This answer is whole."),
        ("hang up", "This answer came through."),
        ("too fast", "Now it is your turn."),
        ("out of order", "It works again."),
    ],
)
async def test_agent_recovers_from_failed_request(aimock_url: str, prompt: str, answer: str, tmp_path: Path):
    name, path = DIALECTS["openai"]
    async with agent_api(tmp_path, name, api_base=aimock_url + path, api_key="mock-mock-mock") as api:
        thread, message = await ask(api, f"Please be {prompt}")
    assert (thread.status, thread.error) == ("completed", None)
    assert text(message) == answer
