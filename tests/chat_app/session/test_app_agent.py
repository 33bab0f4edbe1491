"""Test the demo's agent end to end, through the durable runtime to its tools."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Message, Runtime, Thread, define_internal_agent_api
from agent_core.llm import LitellmModel
from agent_core.testing import eventually
from chat_app.model.model_choice import DEMO_MODEL, ModelChoice, choose_model
from chat_app.server.settings import Settings
from chat_app.session.app_agent import build_agent, title_model


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[AgentApi]:
    settings = Settings(data_dir=tmp_path, model="demo", demo_speed=200.0)
    agent = build_agent(choose_model(settings, {}), settings)
    async with Runtime(database_url=f"sqlite:///{tmp_path}/agents.db") as runtime:
        yield define_internal_agent_api(runtime, agent)


async def ask(api: AgentApi, prompt: str) -> tuple[Thread, Message]:
    thread = await api.create_thread(prompt)
    thread = await api.wait_until_idle(thread.id, timeout=20)
    return thread, (await api.list_messages(thread.id))[-1]


def tools_of(message: Message) -> list[dict[str, Any]]:
    return [part for part in message.parts if part["type"].startswith("tool-")]


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("What time is it in Tokyo, and what is 12.5 * (3 + 4)?", ["(Asia/Tokyo)", "**87.5**"]),
        ("What time is it, then compute 2^10", ["(UTC)", "**1024**"]),
        ("what is 1 / 0?", ["Division by zero"]),
        ("Search the docs for CHAT_DEMO_SPEED", ["configuration.md"]),
        ("Run the slow task for 0.5 sec", ["slow task is done"]),
        ("Call the unreliable service, 1 failures", ["**42** on attempt 2"]),
        ("Fail with 503 midway", ["lighthouse"]),
    ],
)
async def test_demo_agent_uses_its_tools_and_answers_from_their_outcomes(
    api: AgentApi, prompt: str, said: list[str]
):
    thread, message = await ask(api, prompt)
    assert (thread.status, thread.error) == ("completed", None)
    for words in said:
        assert words in message.parts[-1]["text"]


async def test_a_person_is_asked_and_the_answer_used(api: AgentApi):
    thread = await api.create_thread("Ask me which colour I like")

    async def waiting() -> list[dict[str, Any]]:
        found = await api.get_thread(thread.id)
        assert found is not None
        return (
            tools_of((await api.list_messages(thread.id))[-1])
            if found.status == "awaiting_tool_results"
            else []
        )

    [call] = await eventually(waiting, 30)
    assert call["input"] == {"question": "Which colour do you like?"}
    await api.add_tool_result(call["toolCallId"], "blue")
    await api.wait_until_idle(thread.id, 20)
    assert "**blue**" in (await api.list_messages(thread.id))[-1].parts[-1]["text"]


@pytest.mark.parametrize("approve", [True, False])
async def test_an_email_waits_for_a_yes(api: AgentApi, tmp_path: Path, approve: bool):
    thread = await api.create_thread("Send an e-mail to ada@example.com saying hello")

    async def waiting() -> list[dict[str, Any]]:
        calls = tools_of((await api.list_messages(thread.id))[-1])
        return [call for call in calls if call["state"] == "approval-requested"]

    [call] = await eventually(waiting, 30)
    outbox = tmp_path / "outbox.jsonl"
    assert not outbox.exists()
    if approve:
        await api.approve_tool_calls(thread.id, [call["toolCallId"]])
    else:
        await api.deny_tool_calls(thread.id, [call["toolCallId"]], "Not today.")
    await api.wait_until_idle(thread.id, 20)
    said = (await api.list_messages(thread.id))[-1].parts[-1]["text"]
    assert outbox.exists() is approve
    assert ("is sent" if approve else "Not today.") in said


async def test_a_rate_limit_passes_and_a_wrong_key_does_not(api: AgentApi):
    thread, message = await ask(api, "fail with 429 once")
    assert (thread.status, message.parts[-1]["text"]) == ("completed", "It worked on attempt 2.")
    thread, _ = await ask(api, "fail hard")
    assert thread.status == "failed"
    assert "Incorrect API key provided" in (thread.error or "")


def test_a_real_model_names_threads_and_the_demo_model_none(tmp_path: Path) -> None:
    demo, real = ModelChoice(DEMO_MODEL, ""), ModelChoice("openai/gpt-5-mini", "")
    own = Settings(data_dir=tmp_path)
    assert title_model(demo, own) is None
    assert (named := title_model(real, own)) is not None
    assert named.model is None, "the thread's own is asked"
    assert title_model(real, replace(own, title_model="none")) is None
    assert title_model(real, replace(own, title_model="demo")) is None
    other = title_model(
        demo, replace(own, title_model="openai/tiny", openai_base_url="http://127.0.0.1:9/v1")
    )
    assert other is not None
    assert isinstance(other.model, LitellmModel)
    assert (other.model.name, other.model.options["api_base"]) == ("openai/tiny", "http://127.0.0.1:9/v1")


async def test_a_thread_with_the_demo_model_keeps_its_first_words(api: AgentApi) -> None:
    thread, _ = await ask(api, "What is 2 + 3?")
    assert thread.title == "What is 2 + 3?"
    assert (await api.insight.usage(thread.id)).total.requests == 2


@pytest.mark.parametrize(("key", "loads"), [("", False), ("sk-none", True)])
def test_litellm_is_loaded_only_where_a_real_model_is_offered(tmp_path: Path, key: str, loads: bool):
    """It takes 130 MB and seconds of CPU, which a server with only the demo model saves."""
    script = """
import asyncio, sys, threading
from chat_app.session.service import lifespan, service

async def main():
    async with lifespan():
        api = service().api
        thread = await api.create_thread("What is 2 + 3?")
        await api.wait_until_idle(thread.id, timeout=60)
        print((await api.list_messages(thread.id))[-1].parts[-1]["text"])
        for thread in threading.enumerate():
            if thread.name == "warm-litellm":
                thread.join()
        print("litellm" in sys.modules)

asyncio.run(main())
"""
    ours = {"CHAT_MODEL": "demo", "CHAT_DATA_DIR": str(tmp_path), "CHAT_DEMO_SPEED": "100"}
    environ = {**os.environ, **ours, **({"OPENAI_API_KEY": key} if key else {})}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True, timeout=100
    )
    assert "**5**" in done.stdout
    assert done.stdout.split()[-1] == str(loads)
