"""Chat completions for OpenAI's own Python client."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from agent_core import errors
from agent_core.domain.model_adapter import Finish, Source, Usage
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from tests.agent_core.http.test_sse import followed
from tests.support.agents import held, live
from tests.support.servers.http_server import events
from tests.support.servers.openai_server import serving_openai

PIXEL = base64.b64encode(
    bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489")
).decode()
HI = [{"role": "user", "content": "Hi"}]


async def ask(ai: openai.AsyncOpenAI, messages: list[Any], **more: Any) -> Any:
    return await ai.chat.completions.create(model="assistant", messages=messages, **more)


def echo(messages: list[dict[str, Any]]) -> list[Any]:
    return [f"{len(messages)}: {messages[-1]['content']}"]


async def test_agents_are_listed_as_models(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", echo) as (ai, _, _client):
        assert [model.id async for model in ai.models.list()] == ["assistant"]
        assert (await ai.models.retrieve("assistant")).owned_by == "agent_core"
        with pytest.raises(openai.NotFoundError) as caught:
            await ai.models.retrieve("gpt/5")
        assert caught.value.code == "model_not_found"


async def test_only_offered_agents_are_models(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", echo, offered=lambda: ["other"]) as (ai, _, _client):
        assert [model.id async for model in ai.models.list()] == []
        with pytest.raises(openai.NotFoundError):
            await ask(ai, HI)


async def test_answer_has_the_text_of_all_steps_and_shows_what_ran_on_the_server(tmp_path: Path) -> None:
    turns = [["Look.", Reasoning("why"), ToolUse("look", {"n": 1}), ToolUse("nothing")], ["Well ", "then."]]
    async with serving_openai(tmp_path / "a.db", ScriptedModel(turns * 2)) as (ai, api, _):
        whole = await ask(ai, HI)
        choice = whole.choices[0]
        assert (choice.message.content, choice.finish_reason) == ("Look.\n\nWell then.", "stop")
        assert choice.message.tool_calls is None, "the client would run them"
        assert choice.message.reasoning_content == "why"
        assert [(call["name"], call["status"]) for call in choice.message.server_tool_calls] == [
            ("look", "completed"),
            ("nothing", "failed"),
        ]
        assert (await api.list_messages(whole.thread_id))[-1].text == choice.message.content

        stream = await ask(ai, HI, stream=True, stream_options={"include_usage": True})
        chunks = [chunk async for chunk in stream]
        *told, last = chunks
        assert (last.choices, last.usage.total_tokens) == ([], 0)
        assert "".join(c.choices[0].delta.content or "" for c in told) == choice.message.content
        assert [c.choices[0].finish_reason for c in told if c.choices[0].finish_reason] == ["stop"]
        calls = [
            c.choices[0].delta.server_tool_calls[0]
            for c in told
            if hasattr(c.choices[0].delta, "server_tool_calls")
        ]
        assert [(call["name"], call["status"]) for call in calls] == [
            ("look", "in_progress"),
            ("look", "completed"),
            ("nothing", "in_progress"),
            ("nothing", "failed"),
        ]


async def test_the_model_is_sent_the_whole_history_of_the_request(tmp_path: Path) -> None:
    model = ScriptedModel([["Done."]])
    history: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Add."}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c", "content": "2"},
        {"role": "assistant", "content": "Two."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "And this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
                {"type": "image_url", "image_url": {"url": "https://here.example/a.jpg"}},
            ],
        },
    ]
    async with serving_openai(tmp_path / "a.db", model) as (ai, api, _):
        await ask(ai, history)
        sent = model.requests[0]
        assert [message["role"] for message in sent] == [
            "system",
            "user",
            "assistant",
            "tool",
            "assistant",
            "user",
        ]
        assert sent[0]["content"] == "Be brief."
        assert (sent[3]["tool_call_id"], sent[3]["content"]) == ("c", "2")
        assert [part["type"] for part in sent[5]["content"]] == ["text", "image_url", "image_url"]
        assert sent[5]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
        thread = (await api.list_threads())[0]
        stored = (await api.list_messages(thread.id))[-2].parts
        assert stored[1]["url"].startswith("attachment:"), "the bytes are kept as a file"


async def test_a_thread_is_continued_with_the_last_message_only(tmp_path: Path) -> None:
    model = ScriptedModel(echo)
    async with serving_openai(tmp_path / "a.db", model) as (ai, api, _):
        first = await ask(ai, HI)
        for more in (
            {"metadata": {"thread_id": first.thread_id}},
            {"extra_headers": {"X-Thread-Id": first.thread_id}},
        ):
            again = await ask(ai, [*HI, {"role": "user", "content": "More"}], **more)
            assert again.thread_id == first.thread_id
        assert [message.text for message in await api.list_messages(first.thread_id)] == [
            *("Hi", "1: Hi", "More", "3: More", "More", "5: More"),
        ]
        await api.create_thread(thread_id="a\nb")  # cannot be the value of a header
        assert (await ask(ai, HI, metadata={"thread_id": "a\nb"})).thread_id == "a\nb"
        with pytest.raises(openai.NotFoundError) as caught:
            await ask(ai, HI, metadata={"thread_id": "none"})
        assert caught.value.code == "thread_not_found"


async def test_a_busy_thread_is_a_conflict_that_clients_retry(tmp_path: Path) -> None:
    go = asyncio.Event()

    def turns(_: Any) -> Any:
        yield from held(go)
        yield "Done."

    async with serving_openai(tmp_path / "a.db", turns) as (ai, api, _):
        running = asyncio.create_task(ask(ai, HI))
        (thread,) = await eventually(api.list_threads)
        with pytest.raises(openai.ConflictError) as caught:
            await ask(ai, HI, metadata={"thread_id": thread.id})
        assert caught.value.code == "thread_busy_for_sending"
        go.set()
        assert (await running).choices[0].message.content == "Done."


async def test_one_key_is_one_turn(tmp_path: Path) -> None:
    model = ScriptedModel(echo)
    key = {"extra_headers": {"Idempotency-Key": "k" * 300}}
    async with serving_openai(tmp_path / "a.db", model) as (ai, api, _):
        same = await asyncio.gather(*(ask(ai, HI, **key) for _ in range(4)))
        assert (
            len({answer.id for answer in same}) == len(await api.list_threads()) == len(model.requests) == 1
        )
        streamed = [c async for c in await ask(ai, HI, stream=True, **key)]
        assert {c.id for c in streamed} == {same[0].id}
        assert "".join(c.choices[0].delta.content or "" for c in streamed) == "1: Hi"
        with pytest.raises(openai.BadRequestError) as caught:
            await ask(ai, [{"role": "user", "content": "Other"}], **key)
        assert caught.value.code == "idempotency_key_reused"
        more = {"metadata": {"thread_id": same[0].thread_id}, "extra_headers": {"Idempotency-Key": "next"}}
        again = [await ask(ai, HI, **more) for _ in range(2)]
        assert again[0].id == again[1].id != same[0].id
        assert len(model.requests) == 2


async def test_a_failed_turn_is_an_error_that_clients_do_not_retry(tmp_path: Path) -> None:
    limit = errors.ModelError("Slow down.", kind="rate_limited")
    model = ScriptedModel([["Half ", limit], ["Half ", limit], ["Whole."]])
    async with serving_openai(tmp_path / "a.db", model) as (ai, _, _client):
        with pytest.raises(openai.RateLimitError) as caught:
            await ask(ai.with_options(max_retries=3), HI)
        assert caught.value.code == "rate_limit_exceeded"
        assert "Slow down." in caught.value.message
        assert len(model.requests) == 1
        stream = await ask(ai, HI, stream=True)
        told = [(await anext(stream)).choices[0].delta.content for _ in range(2)]
        assert told == ["", "Half "]
        with pytest.raises(openai.APIError, match=r"Slow down\."):
            await anext(stream)


async def test_a_turn_continues_when_its_client_leaves(tmp_path: Path) -> None:
    go = asyncio.Event()

    def turns(_: Any) -> Any:
        yield "Begun "
        yield from held(go)
        yield "and ended."

    async with serving_openai(tmp_path / "a.db", turns) as (ai, api, client):
        body = {"model": "assistant", "messages": HI}
        async with client.stream("POST", "/chat/completions", json=body | {"stream": True}) as response:
            async for event in events(response):
                if event.data["choices"][0]["delta"].get("content"):
                    break
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/chat/completions", json=body, timeout=0.1)
        go.set()
        for thread in await api.list_threads():
            await api.wait_until_idle(thread.id, 20)
            assert (await api.list_messages(thread.id))[-1].text == "Begun and ended."
        assert len(await api.list_threads()) == 2
        assert ai is not None


async def test_a_stopped_answer_is_an_error(tmp_path: Path) -> None:
    def turns(_: Any) -> Any:
        yield "Half "
        yield from held(asyncio.Event())

    async with serving_openai(tmp_path / "a.db", turns) as (ai, api, _):
        waiting = asyncio.create_task(ask(ai.with_options(max_retries=2), HI))
        (thread,) = await eventually(api.list_threads)
        await api.stop_thread(thread.id)
        with pytest.raises(openai.ConflictError) as caught:
            await waiting
        assert caught.value.code == "answer_stopped"
        assert len(await api.list_threads()) == 1


async def test_lost_attempt_is_not_part_of_a_whole_answer(tmp_path: Path) -> None:
    seen = asyncio.Event()
    attempts = iter(["Half a ", "Other words."])

    def turns(_: Any) -> Any:
        text = next(attempts)
        yield text
        if text == "Half a ":
            yield from held(seen)
            yield errors.ModelError("Lost.", kind="network", retryable=True)

    async with serving_openai(tmp_path / "a.db", turns) as (ai, api, _):
        asking = [asyncio.create_task(ask(ai, HI, extra_headers={"Idempotency-Key": "k"})) for _ in range(2)]
        (thread,) = await eventually(api.list_threads)
        await live(api, thread.id, "Half a ")
        await eventually(lambda: followed(api) >= 2)
        seen.set()
        for answer in await asyncio.gather(*asking):
            assert answer.choices[0].message.content == "Other words."


async def test_an_answer_that_is_not_stored_is_deleted_once_it_is_delivered(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", echo) as (ai, api, _):
        assert (await ask(ai, HI, store=False)).choices[0].message.content == "1: Hi"
        async for _chunk in await ask(ai, HI, store=False, stream=True):
            pass
        await eventually(lambda: _none(api))
        kept = await ask(ai, HI)
        with pytest.raises(openai.BadRequestError):
            await ask(ai, HI, store=False, metadata={"thread_id": kept.thread_id})


@pytest.mark.parametrize("path", ["/chat/completions", "/responses"])
async def test_an_answer_that_is_not_stored_is_deleted_when_its_client_leaves_after_the_last_event(
    tmp_path: Path, path: str
) -> None:
    """OpenAI's clients close the connection as soon as they have read it."""
    body = {"model": "assistant", "store": False, "stream": True, "messages": HI, "input": "Hi"}
    body.pop("input" if "chat" in path else "messages")
    async with serving_openai(tmp_path / "a.db", echo) as (_, api, _client):
        sent = list[bytes]()
        left = asyncio.Event()
        request = iter([{"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}])

        async def receive() -> Any:
            if (message := next(request, None)) is None:
                await left.wait()
            return message or {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if b"[DONE]" in sent[-1] or b"response.completed" in sent[-1]:
                left.set()
                await asyncio.Event().wait()

        headers = [(b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": path, "headers": headers, "query_string": b""}
        await asyncio.wait_for(api.openai_app()(scope, receive, send), 20)
        assert left.is_set(), sent
        await eventually(lambda: _none(api))


async def _none(api: Any) -> bool:
    return await api.list_threads() == []


async def test_usage_sources_and_the_end_of_an_answer_are_told(tmp_path: Path) -> None:
    turn = ["Rome.", Source("https://rome.example", "Rome"), Usage(3, 4, 7), Finish("length")]
    async with serving_openai(tmp_path / "a.db", ScriptedModel([turn] * 4)) as (ai, _, _client):
        whole = await ask(ai, HI)
        (cited,) = whole.choices[0].message.annotations
        assert (cited.url_citation.url, cited.url_citation.title) == ("https://rome.example", "Rome")
        assert (whole.choices[0].finish_reason, whole.usage.total_tokens) == ("length", 7)
        chunks = [c async for c in await ask(ai, HI, stream=True, stream_options={"include_usage": True})]
        assert chunks[-1].usage == whole.usage
        assert [c.choices[0].finish_reason for c in chunks[:-1]][-1] == "length"
        told = [c.choices[0].delta for c in chunks[:-1] if hasattr(c.choices[0].delta, "annotations")]
        assert told[0].annotations == [{"index": 0, **cited.to_dict()}]

        response: Any = await ai.responses.create(model="assistant", input="Hi")
        assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        assert [one.url for one in response.output[0].content[0].annotations] == ["https://rome.example"]
        assert response.usage.total_tokens == 7
        events = [e async for e in await ai.responses.create(model="assistant", input="Hi", stream=True)]
        assert "response.output_text.annotation.added" in [event.type for event in events]
        assert events[-1].type == "response.incomplete"
