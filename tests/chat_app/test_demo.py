"""The demo: a model that needs no key, and tools that really do something."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from agent_core import AgentApi, Message, Runtime, Thread, define_internal_agent_api
from agent_core.llm import Finish, LitellmModel, ModelRequest, ReasoningDelta, TextDelta
from agent_core.testing import eventually
from agent_core.tools import ToolContext
from chat_app.demo import library
from chat_app.demo.agent import build_agent
from chat_app.demo.calculator import calculate
from chat_app.demo.model import Reply, register_demo_model, reply_to
from chat_app.demo.planning import plan
from chat_app.demo.prose import ABOUT, code, story
from chat_app.demo.tools import demo_tools
from chat_app.models import choose_model
from chat_app.settings import Settings

TOOLS = {"clock", "calculator", "search_docs", "slow_task", "unreliable_service", "ask_human", "send_email"}


def reply(prompt: str, tools: set[str] = TOOLS) -> Reply:
    return reply_to([{"role": "system", "content": "s"}, {"role": "user", "content": prompt}], tools)


# What it says


@pytest.mark.parametrize("prompt", ["hi", "Who are you?", "", "こんにちは", "x" * 100_000])
def test_it_says_what_it_is_and_how_to_connect_a_real_model(prompt: str):
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


def test_code_and_markdown_and_long_answers():
    assert reply("write 25 lines of code").text == code(25)
    assert code(25).count("\n") == 26
    assert "| Tool | Runs |" in reply("show me markdown").text
    assert len(reply("write a long story").text.split()) == 1200
    assert reply("think about it").reasoning


@pytest.mark.parametrize(
    "piece", ["what ", "1", "(", "1+", "echo ", "a@", "fail ", "then ", "code 1 ", "\n", "🙂"]
)
def test_a_megabyte_of_anything_is_answered_at_once(piece: str):
    started = time.monotonic()
    reply(piece * (1_000_000 // len(piece)))
    assert time.monotonic() - started < 2


async def test_a_long_echo_arrives_whole_and_in_time():
    register_demo_model(1000)
    text = "word " * 200_000
    request = ModelRequest([{"role": "user", "content": f"echo: {text}"}])
    events = [event async for event in LitellmModel("demo/assistant").stream(request)]
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    assert "".join(deltas) == text
    assert len(deltas) <= 3001


# What it plans


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
        ("Ask me which colour I like", [[("ask_human", {"question": "Which colour I like?"})]]),
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
def test_words_become_tools(prompt: str, batches: list[list[tuple[str, dict[str, Any]]]]):
    found = [[(use.tool, use.arguments) for use in batch] for batch in plan(prompt, TOOLS)]
    assert found == batches


def test_only_tools_that_are_offered_are_asked():
    assert reply("What time is it?", set()).batch == ()
    assert reply("What time is it?", {"calculator"}).text == ABOUT


def test_the_same_conversation_gets_the_same_answer():
    """After a crash a step is asked again; its calls must be the same ones."""

    async def once() -> list[Any]:
        request = ModelRequest(
            [{"role": "user", "content": "What time is it?"}],
            [tool.schema() for tool in demo_tools(Path()).values()],
        )
        return [event async for event in LitellmModel("demo/assistant").stream(request)]

    register_demo_model(1000)
    assert asyncio.run(once()) == asyncio.run(once())


# Its tools


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 + 3 * 4", 14),
        ("(2 + 3) * 4 =", 20),
        ("2 ^ 10", 1024),
        ("7 // 2 + 7 % 4", 6),
        ("-3 × 2 ÷ 4", -1.5),
        ("sqrt(2) ** 2", pytest.approx(2)),
        ("max(1, 2, 3) + round(2.6) + floor(pi)", 9),
        ("0.1 + 0.2", pytest.approx(0.3)),
        ("2 ** 0.5", pytest.approx(1.41421356)),
    ],
)
def test_arithmetic(expression: str, value: float):
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "two plus two",
        "1 / 0",
        "__import__('os').system('true')",
        "().__class__",
        "open('/etc/passwd')",
        "[x for x in (1,)]",
        "lambda: 1",
        "'a' * 9",
        "True + 1",
        "9 ** 9 ** 9",
        "10 ** 100000",
        "(-1) ** 0.5",
        "sqrt(-1)",
        "1e308 * 10",
        "exp(100000)",
        "max()",
        "round(1, ndigits=2)",
        "1 +" * 120 + "1",
        "(" * 145 + "1",
        "1; 2",
        "abs",
    ],
)
def test_what_is_not_arithmetic_is_refused_at_once(expression: str):
    started = time.monotonic()
    with pytest.raises(ValueError, match=r"\S"):
        calculate(expression)
    assert time.monotonic() - started < 1


def test_search_finds_sections_and_ignores_code(tmp_path: Path):
    (tmp_path / "docs" / "deep").mkdir(parents=True)
    (tmp_path / "README.md").write_text("# App\nIt runs.\n## Retries\nA failed step is tried again.\n")
    (tmp_path / "docs" / "deep" / "a.md").write_text("# Code\n```sh\n# retries are no heading\n```\n")
    first, *others = library.search("how do retries work", root=tmp_path)
    assert (first.file, first.heading, first.text) == (
        "README.md",
        "Retries",
        "A failed step is tried again.",
    )
    assert [each.heading for each in others] == ["Code"]
    assert library.search("zebra", root=tmp_path) == []
    assert library.search("the of a", root=tmp_path) == []


def test_the_projects_own_docs_are_found():
    assert any("configuration.md" in found.file for found in library.search("CHAT_DEMO_SPEED"))


def test_the_clock_knows_time_zones():
    clock = demo_tools(Path())["clock"]
    assert clock(timezone="Asia/Tokyo")["timezone"] == "Asia/Tokyo"
    assert ZoneInfo("Asia/Tokyo")
    for zone in ("Mars/Olympus", "../etc/passwd", "", "\0"):
        with pytest.raises(ValueError, match="no time zone"):
            clock(timezone=zone)


def test_an_email_is_written_once_however_often_it_is_sent(tmp_path: Path):
    send = demo_tools(tmp_path / "data")["send_email"]
    assert isinstance(send.args_model, type)
    arguments = send.args_model(to="a@b.c", subject="s", body="b\nc")
    for attempt in (1, 2):
        context = ToolContext("t", "c", "send_email", attempt=attempt, idempotency_key="same")
        assert send.handler(arguments, context)["status"] == "sent"
    send.handler(arguments, ToolContext("t", "d", "send_email", idempotency_key="other"))
    lines = (tmp_path / "data" / "outbox.jsonl").read_text().splitlines()
    assert [json.loads(line)["key"] for line in lines] == ["same", "other"]


# The whole way, through litellm and the durable runtime


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
        ("Call the unreliable service, 1 failures", ["**42** at attempt 2"]),
        ("Fail with 503 midway", ["lighthouse"]),
    ],
)
async def test_it_uses_its_tools_and_answers_from_their_outcomes(api: AgentApi, prompt: str, said: list[str]):
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
    assert call["input"] == {"question": "Which colour I like?"}
    await api.add_tool_result(call["toolCallId"], "blue")
    await api.wait_until_idle(thread.id, timeout=10)
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
    await api.wait_until_idle(thread.id, timeout=10)
    said = (await api.list_messages(thread.id))[-1].parts[-1]["text"]
    assert outbox.exists() is approve
    assert ("is sent" if approve else "Not today.") in said


async def test_a_rate_limit_passes_and_a_wrong_key_does_not(api: AgentApi):
    thread, message = await ask(api, "fail with 429 once")
    assert (thread.status, message.parts[-1]["text"]) == ("completed", "It worked after all, at attempt 2.")
    thread, _ = await ask(api, "fail hard")
    assert thread.status == "failed"
    assert "Incorrect API key provided" in (thread.error or "")


async def test_it_streams_at_a_human_pace():
    register_demo_model(1.0)
    request = ModelRequest([{"role": "user", "content": "think, and write a story"}])
    started = time.monotonic()
    times: list[float] = []
    async for event in LitellmModel("demo/assistant").stream(request):
        if isinstance(event, TextDelta | ReasoningDelta):
            times.append(time.monotonic())
        else:
            assert not isinstance(event, Finish) or event == Finish("stop")
    words_a_second = len(times) / (times[-1] - times[0])
    assert 20 < words_a_second < 110
    assert times[0] - started > 0.3


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
