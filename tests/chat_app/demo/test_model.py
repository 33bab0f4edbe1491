"""Test the demo's model, which needs no key: its replies, and the tool calls that it plans."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent_core.llm import Finish, ModelRequest, ReasoningDelta, TextDelta
from chat_app.demo.model import DemoModel, Reply, reply_to
from chat_app.demo.planning import plan
from chat_app.demo.prose import ABOUT, code, story
from chat_app.demo.tools import demo_tools

TOOLS = {"clock", "calculator", "search_docs", "slow_task", "unreliable_service", "ask_human", "send_email"}


def reply(prompt: str, tools: set[str] = TOOLS) -> Reply:
    return reply_to([{"role": "system", "content": "s"}, {"role": "user", "content": prompt}], tools)


# Replies


@pytest.mark.parametrize("prompt", ["hi", "Who are you?", "", "こんにちは", "x" * 100_000])
def test_demo_model_says_how_to_connect_a_real_one(prompt: str):
    said = reply(prompt).text
    assert said == ABOUT
    assert "demo model" in said
    assert "OPENAI_API_KEY" in said
    assert "CHAT_MODEL" in said


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "  two  spaces\n\n\ttab \n", "a\u202eb", "", "what is 2+2?"]
)
def test_echo_gives_back_exactly_that_text(text: str):
    answer = reply(f"echo: {text}")
    assert answer.text == text
    assert answer.batch == ()


@pytest.mark.parametrize("words", [1, 2, 5, 6, 137, 400, 5000])
def test_stories_are_exactly_as_long_as_asked(words: int):
    text = reply(f"Write {words} words, please").text
    assert len(text.split()) == words
    assert text.endswith(".")
    assert story(words, "one") == story(words, "one")


def test_lengths_are_bounded_and_thousands_may_have_a_comma():
    assert len(reply("write 1,200 words").text.split()) == 1200
    assert len(reply("write 99999999 words").text.split()) == 20_000


def test_demo_model_writes_code_markdown_long_answers_and_reasoning():
    assert reply("write 25 lines of code").text == code(25)
    assert code(25).count("\n") == 26
    assert "| Tool | Runs |" in reply("show me markdown").text
    assert len(reply("write a long story").text.split()) == 1200
    assert reply("think about it").reasoning


@pytest.mark.parametrize(
    "piece", ["what ", "1", "(", "1+", "echo ", "a@", "fail ", "then ", "code 1 ", "\n", "🙂"]
)
def test_a_megabyte_of_anything_is_answered_at_once(piece: str):
    started = time.thread_time()
    reply(piece * (1_000_000 // len(piece)))
    assert time.thread_time() - started < 2


async def test_a_long_echo_arrives_whole_and_in_time():
    text = "word " * 200_000
    request = ModelRequest([{"role": "user", "content": f"echo: {text}"}])
    events = [event async for event in DemoModel(1000).stream(request)]
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(deltas) == text
    assert len(deltas) <= 3001


async def test_demo_model_streams_at_a_human_pace(monkeypatch: pytest.MonkeyPatch):
    """Measured by the requested sleeps, because a busy machine prolongs the real ones."""
    waits: list[float] = []

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("chat_app.demo.model.asyncio", SimpleNamespace(sleep=wait))
    request = ModelRequest([{"role": "user", "content": "think, and write a story"}])
    events = [event async for event in DemoModel().stream(request)]
    words = [event for event in events if isinstance(event, TextDelta | ReasoningDelta)]
    assert events[-1] == Finish("stop")
    assert 20 < len(words) / sum(waits[1:]) < 110
    assert waits[0] > 0.3


def test_describing_an_outcome_never_fails():
    for content in ("", "null", "[]", "{}", '{"results": 1}', '{"time": 1}', "no json", '"text"', "\ud83d"):
        for tool in (*TOOLS, "unheard_of"):
            messages = [
                {"role": "user", "content": "What time is it?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c", "function": {"name": tool, "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "c", "content": content},
            ]
            assert reply_to(messages, TOOLS).text


# Planned tool calls


@pytest.mark.parametrize(
    ("prompt", "batches"),
    [
        ("What time is it?", [[("clock", {"timezone": "UTC"})]]),
        ("what's the time in Asia/Kolkata", [[("clock", {"timezone": "Asia/Kolkata"})]]),
        ("What is 2 + 2?", [[("calculator", {"expression": "2 + 2"})]]),
        ("what's sqrt(16) * -3", [[("calculator", {"expression": "sqrt(16) * -3"})]]),
        ("calculate two plus two", [[("calculator", {"expression": "two plus two"})]]),
        ("Search the docs for retries", [[("search_docs", {"query": "retries"})]]),
        ("Run the slow task for 10 seconds", [[("slow_task", {"seconds": 10.0})]]),
        ("Call the unreliable service", [[("unreliable_service", {})]]),
        ("unreliable service, 3 failures", [[("unreliable_service", {"failures": 3})]]),
        ("Ask me which colour I like", [[("ask_human", {"question": "Which colour do you like?"})]]),
        ("I was born in 1987 and like 7 of 9", []),
        (
            "What time is it in Tokyo, and what is 12.5 * (3 + 4)?",
            [[("clock", {"timezone": "Asia/Tokyo"}), ("calculator", {"expression": "12.5 * (3 + 4)"})]],
        ),
        (
            "What time is it, then compute 2^10",
            [[("clock", {"timezone": "UTC"})], [("calculator", {"expression": "2^10"})]],
        ),
        (
            'Send an e-mail to ada@example.com saying "2 + 2"',
            [
                [
                    (
                        "send_email",
                        {"to": "ada@example.com", "subject": "A message from the demo", "body": "2 + 2"},
                    )
                ]
            ],
        ),
    ],
)
def test_words_of_a_prompt_select_the_tools(prompt: str, batches: list[list[tuple[str, dict[str, Any]]]]):
    found = [[(use.tool, use.arguments) for use in batch] for batch in plan(prompt, TOOLS)]
    assert found == batches


def test_only_offered_tools_are_called():
    assert reply("What time is it?", set()).batch == ()
    assert reply("What time is it?", {"calculator"}).text == ABOUT


def test_the_same_conversation_gets_the_same_answer():
    """After a crash the step is requested again, and must plan the same calls."""

    async def once() -> list[Any]:
        request = ModelRequest(
            [{"role": "user", "content": "What time is it?"}],
            [tool.schema() for tool in demo_tools(Path()).values()],
        )
        return [event async for event in DemoModel(1000).stream(request)]

    assert asyncio.run(once()) == asyncio.run(once())
