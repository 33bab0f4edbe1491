"""Undeclared context windows: read once from the refusal that names them, and kept for good."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, Runtime, define_internal_agent_api
from agent_core.context import ContextRequest, ContextResult, SummariseOldest
from agent_core.domain.model_adapter import ModelRequest
from agent_core.errors import ModelError
from agent_core.llm.errors.refusals import NamedWindow
from agent_core.llm.litellm_adapter import LitellmModel
from agent_core.llm.tokens import estimate_tokens
from agent_core.runners.request_builder import key_of, usable_window
from agent_core.store.database.sql import WINDOW
from agent_core.testing import ScriptedModel
from tests.providers.loopback import Answer, Stream, delta, provider
from tests.support.agents import AT_ONCE, agent_on, finished, texts
from tests.support.databases import prepared, select_all

LIMIT = 8192
LONG = "word " * 4_000  # about 5,700 tokens by our estimate


def refusal(words: str) -> ModelError:
    return ModelError(words, kind="context_window_exceeded", status=400)


def words(limit: Any = LIMIT, used: int = 9_000) -> str:
    return f"This model's maximum context length is {limit} tokens. However, your messages resulted in {used} tokens."


def size(messages: list[dict[str, Any]]) -> int:
    return sum(estimate_tokens(str(message.get("content") or "")) for message in messages)


def small(messages: list[dict[str, Any]]) -> list[Any]:
    """Answer like the server of a model with a small window."""
    return [refusal(words(used=size(messages)))] if size(messages) > LIMIT else ["Fine."]


def windows(path: Path) -> list[Any]:
    return select_all(path, [WINDOW])["agent_window"]


async def test_history_is_cut_once_and_the_window_is_remembered_over_restarts(path: Path) -> None:
    model = ScriptedModel(small)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread(LONG))
        await api.send_message(thread.id, LONG)
        thread = await finished(api, thread)
        assert (thread.status, thread.error) == ("completed", None)
        assert [size(request) > LIMIT for request in model.requests] == [False, True, False]
        assert len(windows(path)) == 1
    again = ScriptedModel(small)
    async with agent_on(path, again) as api:
        await api.send_message(thread.id, LONG)
        assert (await finished(api, thread)).status == "completed"
        assert len(again.requests) == 1, "it is known, so nothing is refused"
        assert [part["type"] for part in (await api.list_messages(thread.id))[3].parts].count(
            "data-context"
        ) == 1


@pytest.mark.sqlite  # writes no rows
@pytest.mark.parametrize("limit", [0, -5, 10**7, "unknown", 1])
async def test_an_impossible_window_is_ignored(path: Path, limit: Any) -> None:
    model = ScriptedModel(lambda _: [refusal(words(limit))])
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread(LONG))
        assert thread.status == "failed"
        assert thread.error == words(limit)
    assert len(model.requests) == 1
    assert windows(path) == []


async def test_a_step_is_asked_again_once_only(path: Path) -> None:
    answers = iter(range(10_000, 0, -1_000))

    def lying(messages: list[dict[str, Any]]) -> list[Any]:
        return ["Fine."] if len(messages) == 1 else [refusal(words(next(answers)))]

    model = ScriptedModel(lying)
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        for _ in range(4):
            await api.add_message(thread.id, {"role": "user", "parts": [{"type": "text", "text": LONG}]})
            await api.add_message(
                thread.id, {"role": "assistant", "parts": [{"type": "text", "text": "Fine."}]}
            )
        await api.send_message(thread.id, "And now?")
        thread = await finished(api, thread)
        assert (thread.status, thread.error_kind) == ("failed", "context_window_exceeded")
        assert len(model.requests) == 3, "one answer, one refusal, one repeat"


async def test_window_that_was_still_too_large_becomes_smaller_at_the_next_step(path: Path) -> None:
    """The provider counts more tokens than we estimate, and does not say how many."""

    def counts_double(messages: list[dict[str, Any]]) -> list[Any]:
        if 2 * size(messages) > LIMIT:
            return [refusal(f"This model's maximum context length is {LIMIT} tokens.")]
        return ["Fine."]

    model = ScriptedModel(counts_double)
    piece = "word " * 1_300
    async with agent_on(path, model) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        for _ in range(12):
            await api.send_message(thread.id, piece)
            if (await finished(api, thread)).status == "failed":
                await api.resume_thread(thread.id)
                assert (await finished(api, thread)).status == "completed"
    assert len(model.requests) < 12 + 8


async def test_request_that_cannot_be_cut_is_not_repeated(path: Path) -> None:
    async def everything(request: ContextRequest) -> ContextResult:
        return ContextResult(request.messages)

    for context in (None, everything):
        model = ScriptedModel(small)
        async with agent_on(path, model, context=context) as api:
            thread = await finished(api, await api.create_thread(LONG + LONG))
            assert thread.status == "failed"
            assert len(model.requests) == 1
    assert windows(path) == []


async def test_a_custom_policy_is_given_the_window(path: Path) -> None:
    heard: list[int | None] = []

    async def newest(request: ContextRequest) -> ContextResult:
        heard.append(request.window)
        return ContextResult(request.messages if request.window is None else request.messages[-1:])

    model = ScriptedModel(small)
    async with agent_on(path, model, context=newest) as api:
        thread = await finished(api, await api.create_thread(LONG))
        await api.send_message(thread.id, LONG)
        assert (await finished(api, thread)).status == "completed"
    assert heard[:2] == [None, None]
    assert 0 < (heard[2] or 0) < LIMIT


async def test_summary_is_made_for_the_learned_window(path: Path) -> None:
    asked: list[Any] = []

    def answer(messages: list[dict[str, Any]]) -> list[Any]:
        asked.append(messages)
        return ["A summary."] if "You sum up" in str(messages[0]["content"]) else small(messages)

    model = ScriptedModel(answer)
    async with agent_on(path, model, context=SummariseOldest()) as api:
        thread = await finished(api, await api.create_thread(LONG))
        await api.send_message(thread.id, LONG)
        assert (await finished(api, thread)).status == "completed"
    assert "A summary." in str(model.requests[-1])


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": words(), "type": "BadRequestError", "code": 400}}),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size. try increasing the context size",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 9000,
                    "n_ctx": LIMIT,
                }
            },
        ),
        (
            400,
            {
                "error": "Trying to keep the first 9000 tokens when context the overflows. However, the model is "
                f"loaded with context length of only {LIMIT} tokens, which is not enough."
            },
        ),
    ],
    ids=["vLLM", "llama.cpp", "LM Studio"],
)
async def test_local_server_over_the_wire(tmp_path: Path, status: int, body: Any) -> None:
    said = Stream([delta("Fine.", finish="stop")])
    async with (
        provider(said, Answer(status, body), said) as server,
        Runtime(prepared(tmp_path / "agents.db")) as runtime,
    ):
        agent = Agent("a", "openai/local", api_base=server.url, api_key="none", retry=AT_ONCE)
        api = define_internal_agent_api(runtime, agent)
        thread = await finished(api, await api.create_thread(LONG))
        await api.send_message(thread.id, LONG)
        thread = await finished(api, thread)
        assert (thread.status, thread.error) == ("completed", None)
        assert (await texts(api, thread))[-1] == "Fine."
        sizes = [len(str(request["messages"])) for request in server.requests]
        assert len(sizes) == 3
        assert sizes[2] < sizes[1]


def test_window_is_remembered_for_the_model_and_its_server():
    assert key_of(LitellmModel("openai/local")) == "openai/local"
    at = key_of(LitellmModel("openai/local", api_base="http://me:secret@127.0.0.1:8000/v1"))
    assert at == "openai/local at 127.0.0.1:8000/v1"


def test_room_for_the_answer_is_left():
    request = ModelRequest([{"role": "user", "content": LONG * 3}], options={"max_tokens": 1_000})
    model = ScriptedModel([])
    assert usable_window(NamedWindow(LIMIT), request, model) == LIMIT - 1_000
    assert usable_window(NamedWindow(LIMIT), ModelRequest(request.messages), model) == LIMIT * 7 // 8
    too_much = ModelRequest(request.messages, options={"max_tokens": 9_000})
    assert usable_window(NamedWindow(LIMIT), too_much, model) is None, "a shorter history would not help"
