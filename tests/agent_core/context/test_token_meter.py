"""Token meter: litellm's table and tokenizer, used offline and only when the count matters."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_core import Agent, RetryPolicy, Runtime, define_internal_agent_api
from agent_core.context import ContextRequest, SummariseOldest, TrimOldest
from agent_core.llm import LitellmModel, tokens
from agent_core.llm.litellm_import import litellm_module
from agent_core.llm.tokens import count_tokens, estimate_tokens, most_tokens
from agent_core.testing import ScriptedModel
from tests.agent_core.context.test_threads import notes, old_messages
from tests.providers.loopback import Answer, Hang, Stream, delta, provider
from tests.support.agents import finished, prepare
from tests.support.contexts import TOOLS
from tests.support.databases import prepared

FOREIGN = [
    "openai/gpt-4o-mini",
    "anthropic/claude-sonnet-4-5",
    "claude-2.1",
    "gemini/gemini-2.5-flash",
    "groq/llama-3.3-70b-versatile",
    "replicate/meta/llama-2-70b-chat",
    "cohere/command-r",
    "nobody/knows-me",
]
"""Among them those whose tokenizers litellm would fetch from the net."""


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_windows", {})
    monkeypatch.setattr(tokens, "_counted", {})


@pytest.mark.parametrize(
    ("name", "options", "window"),
    [
        ("openai/gpt-4", {}, 8_192 - 1_024),
        ("openai/gpt-4", {"max_tokens": 2_000}, 8_192 - 2_000),
        ("openai/gpt-4", {"max_completion_tokens": 100}, 8_192 - 100),
        ("openai/gpt-4", {"max_tokens": 1_000_000}, 8_192 - 5_461),
        ("openai/gpt-4", {"max_tokens": -1}, 8_192 - 1_024),
        ("openai/gpt-4o-mini", {}, 128_000 - 16_000),
        ("anthropic/claude-sonnet-4-5", {}, 200_000 - 64_000),
        ("nobody/knows-me", {}, None),
        ("openai/nobody-knows-me", {}, None),
    ],
)
async def test_the_window_leaves_room_for_the_answer(name: str, options: dict[str, Any], window: int | None):
    assert await LitellmModel(name, **options).context_window({}) == window
    assert await LitellmModel(name).context_window(options) == window


async def test_no_tokenizer_is_fetched_from_the_net(monkeypatch: pytest.MonkeyPatch):
    litellm, asked = await litellm_module(), []

    def offline(*place: Any, **_: Any) -> Any:
        asked.append(place)
        raise socket.gaierror("no net")

    monkeypatch.setattr(socket, "getaddrinfo", offline)
    for name in FOREIGN:
        text = "It is said of this text that it has some tokens. <|endoftext|> "
        count = count_tokens(litellm, name, text)
        assert 15 <= count <= 35, name
        assert count <= most_tokens(text)
    assert asked == []


async def test_a_text_is_counted_once(monkeypatch: pytest.MonkeyPatch):
    model, counted = LitellmModel("openai/gpt-4"), []
    await model.context_window({})
    litellm = await litellm_module()
    encode = litellm.encode
    monkeypatch.setattr(litellm, "encode", lambda text: counted.append(text) or encode(text=text))
    assert model.count_tokens("some words") == model.count_tokens("some " + "words") == 3
    assert LitellmModel("anthropic/claude-x").count_tokens("some words") == 3
    assert counted == ["some words"]
    for name in ("openai/gpt-4", "o3-mini", "groq/openai/gpt-oss-20b", "azure/chatgpt-4o-latest"):
        assert LitellmModel(name).count_tokens("word " * 1_000) == 1_022, name
    for name in ("bedrock/us.anthropic.claude-x", "gemini/solo1", "nobody/knows-me"):
        assert LitellmModel(name).count_tokens("word " * 1_000) >= 1_200, name
    monkeypatch.setattr(tokens, "_MAX_COUNTED_TEXTS", 10)
    for number in range(100):
        model.count_tokens(str(number))
    assert len(tokens._counted) <= 10  # pyright: ignore[reportPrivateUsage]


@given(st.text())
def test_bounds_and_estimates(text: str):
    assert 0 <= estimate_tokens(text) <= max(len(text), 1)
    assert len(text) <= most_tokens(text)


async def test_a_tokenizer_that_fails_is_no_reason_to_fail(monkeypatch: pytest.MonkeyPatch):
    litellm = await litellm_module()
    monkeypatch.setattr(litellm, "encode", lambda text: 1 / 0)
    assert count_tokens(litellm, "openai/gpt-4", "a" * 350) == 102


class Sized(ScriptedModel):
    """Model that knows its window and counts one token per word."""

    def __init__(self, window: int) -> None:
        super().__init__([])
        self.window, self.counted = window, 0

    async def context_window(self, options: dict[str, Any]) -> int:
        return self.window - options.get("max_tokens", 0)

    def count_tokens(self, text: str) -> int:
        self.counted += 1
        return len(text.split())


async def test_a_short_thread_is_not_counted():
    model = Sized(100_000)
    messages = [{"role": "user", "content": "word " * 5_000}, {"role": "assistant", "content": "so " * 5_000}]
    result = await TrimOldest()(ContextRequest(messages, TOOLS, model))
    assert (result.messages, model.counted) == (messages, 0)


async def test_a_custom_adapter_may_know_its_window():
    model = Sized(1_000)
    talk = [{"role": ("user", "assistant")[number % 2], "content": "word " * 100} for number in range(20)]
    result = await TrimOldest()(ContextRequest(talk, [], model))
    assert len(result.messages) == 6, "700 tokens of 108 for each message, and whole turns"
    assert model.counted < 25, "only what can be sent is counted"
    result = await TrimOldest()(ContextRequest(talk, [], model, {"max_tokens": 500}))
    assert len(result.messages) == 2
    result = await TrimOldest(max_tokens=300)(ContextRequest(talk, [], model))
    assert result.note
    assert result.note["window"] == 300


async def test_a_thread_outgrows_a_real_model(tmp_path: Path):
    """Requests on the wire fit the window, as counted by the provider's own tokenizer."""
    litellm = await litellm_module()
    path = prepare(tmp_path / "agents.db")
    async with (
        provider(Stream([delta("Well."), delta(finish="stop")])) as server,
        Runtime(prepared(path)) as runtime,
    ):
        agent = Agent("assistant", "openai/gpt-4", system="Be kind.", api_base=server.url, api_key="sk-x")
        api = define_internal_agent_api(runtime, agent)
        thread = await api.create_thread("one", messages=old_messages(300))
        assert (await finished(api, thread)).status == "completed"
        await api.send_message(thread.id, "two")
        assert (await finished(api, thread)).status == "completed"
        first, second = (request["messages"] for request in server.requests)
        (note,) = notes(await api.list_messages(thread.id))
    assert first[0] == {"role": "system", "content": "Be kind."}
    assert [message["content"] for message in second[-3:]] == ["one", "Well.", "two"]
    assert second[: len(first)] == first
    counted = litellm.token_counter(model="gpt-4", messages=first)
    assert 0.6 * 7_168 < counted <= note["tokens"] <= 0.7 * 7_168
    assert note["window"] == 7_168


async def test_a_summary_is_asked_for_without_what_shapes_the_answers():
    options: dict[str, Any] = {"response_format": {"type": "json_object"}, "stop": "END", "temperature": 0.5}
    talk = [{"role": ("user", "assistant")[number % 2], "content": "word " * 100} for number in range(100)]
    async with provider(Stream([delta("They like tea."), delta(finish="stop")])) as server:
        model = LitellmModel("openai/gpt-4", api_base=server.url, api_key="sk-x", **options)
        result = await SummariseOldest()(ContextRequest(talk, [], model))
    assert result.note
    assert result.note["summary"] == "They like tea."
    sent = server.requests[-1]
    assert not {"response_format", "stop", "tools"} & sent.keys()
    assert sent["temperature"] == 0.5


async def test_a_provider_that_finds_it_too_long_is_asked_once(tmp_path: Path):
    path = prepare(tmp_path / "agents.db")
    words = "This model's maximum context length is 10 tokens. Please reduce the length of the messages."
    answer = Answer(400, {"error": {"message": words, "code": "context_length_exceeded"}})
    async with provider(answer) as server, Runtime(prepared(path)) as runtime:
        options: dict[str, Any] = {"api_base": server.url, "api_key": "sk-x"}
        agent = Agent("assistant", "openai/gpt-4", retry=RetryPolicy(max_attempts=5), **options)
        api = define_internal_agent_api(runtime, agent)
        failed = await finished(api, await api.create_thread("one"))
        assert (failed.status, failed.error_kind) == ("failed", "context_window_exceeded")
        assert failed.error == words
        assert len(server.requests) == 1


async def test_a_hanging_server_leaves_the_window_unknown(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tokens, "_WINDOW_TIMEOUT", 0.3)
    async with provider(Hang()) as server:
        model = LitellmModel("ollama/tiny", api_base=server.url)
        assert await asyncio.wait_for(model.context_window({}), 20) is None
        assert await asyncio.wait_for(model.context_window({}), 0.25) is None, (
            "and is not asked again at once"
        )
        assert len(server.requests) == 1


async def test_the_window_of_a_local_server_is_asked_for_once():
    shown = {"model_info": {"llama.context_length": 4_096}, "template": ""}
    async with provider(Answer(200, shown)) as server:
        model = LitellmModel("ollama/tiny", api_base=server.url)
        assert await model.context_window({}) == 4_096 - 512
        assert await model.context_window({}) == 4_096 - 512
        assert len(server.requests) == 1
