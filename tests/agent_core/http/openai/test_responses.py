"""Responses for OpenAI's own Python client: threads, streams that are resumed, approvals, background."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import openai
import pytest

from agent_core import CallContext, errors
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from tests.agent_core.http.openai.test_chat_completions import PIXEL
from tests.support.agents import held
from tests.support.servers.openai_server import serving_openai


def echo(messages: list[dict[str, Any]]) -> list[Any]:
    return [f"{len(messages)}: {messages[-1]['content']}"]


async def ask(ai: openai.AsyncOpenAI, given: Any = "Hi", **more: Any) -> Any:
    return await ai.responses.create(model="assistant", input=given, **more)


def text_of(told: list[Any]) -> str:
    return "".join(event.delta for event in told if event.type == "response.output_text.delta")


async def test_response_has_items_for_what_the_agent_did(tmp_path: Path) -> None:
    turns = [[Reasoning("why"), "Look.", ToolUse("look", {"n": 1}), ToolUse("nothing")], ["Well."]]
    async with serving_openai(tmp_path / "a.db", ScriptedModel(turns)) as (ai, _, _client):
        done = await ask(ai, metadata={"mine": "1"})
        assert (done.status, done.output_text, done.metadata) == ("completed", "Look.Well.", {"mine": "1"})
        assert [item.type for item in done.output] == [
            "reasoning",
            "message",
            "mcp_call",
            "mcp_call",
            "message",
        ]
        assert (done.output[2].arguments, done.output[2].output) == ('{"n": 1}', "seen 1")
        assert (done.output[3].status, done.output[3].output) == ("failed", None)
        assert await ai.responses.retrieve(done.id) == done


async def test_stream_has_typed_events_and_is_resumed_after_any_of_them(tmp_path: Path) -> None:
    turns = [["Look. ", ToolUse("look", {"n": 1}), ToolUse("look", {"n": 2})], ["Well ", 0.05, "then."]]
    async with serving_openai(tmp_path / "a.db", ScriptedModel(turns)) as (ai, _, _client):
        told = [event async for event in await ask(ai, stream=True)]
        assert [event.type for event in told[:4]] == [
            *("response.created", "response.in_progress"),
            *("response.output_item.added", "response.content_part.added"),
        ]
        assert told[-1].type == "response.completed"
        assert text_of(told) == told[-1].response.output_text == "Look. Well then."
        done = [event.item for event in told if event.type == "response.output_item.done"]
        assert done == told[-1].response.output
        numbers = [event.sequence_number for event in told]
        assert numbers == sorted(set(numbers))
        response_id = told[0].response.id
        for place, event in [*list(enumerate(told))[::3], (len(told) - 1, told[-1])]:
            number = event.sequence_number
            rest = [
                e async for e in await ai.responses.retrieve(response_id, stream=True, starting_after=number)
            ]
            assert text_of(rest) == text_of(told[place + 1 :])
            assert rest[-1:] == told[place + 1 :][-1:]
            assert {e.sequence_number for e in rest} <= set(numbers[place + 1 :])
        wrong: Any = await ai.responses.retrieve(
            response_id, stream=True, starting_after=told[7].sequence_number ^ 1
        )
        assert [(e.type, e.code) async for e in wrong][-1] == ("error", "answer_restarted")


async def test_previous_response_branches_and_conversation_continues(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", echo) as (ai, api, _):
        first = await ask(ai, instructions="Be brief.")
        second = await ask(ai, "Two", previous_response_id=first.id, instructions="Be brief.")
        third = await ask(ai, "Three", conversation=second.conversation.id)
        assert [r.output_text for r in (first, second, third)] == ["2: Hi", "4: Two", "6: Three"]
        other = await ask(ai, "Other", previous_response_id=first.id)
        assert (other.output_text, other.previous_response_id) == ("4: Other", first.id)
        assert len(await api.list_threads()) == 1
        assert (await ai.responses.retrieve(second.id)).status == "cancelled", "its branch is no longer shown"
        for wrong in (
            {"previous_response_id": first.id, "instructions": "Be long."},
            {"previous_response_id": first.id, "conversation": first.conversation.id},
            {"previous_response_id": first.id, "store": False},
            {"previous_response_id": first.id, "input": [{"role": "user", "content": "a"}] * 2},
        ):
            with pytest.raises(openai.BadRequestError):
                await ask(ai, **{"given": wrong.pop("input", "Hi"), **wrong})
        for unknown in ({"previous_response_id": "resp_none"}, {"conversation": "thread_none"}):
            with pytest.raises(openai.NotFoundError):
                await ask(ai, **unknown)


async def test_input_items_are_the_history(tmp_path: Path) -> None:
    model = ScriptedModel([["Done."]])
    items: list[Any] = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Add."},
        {"type": "reasoning", "id": "rs_1", "summary": []},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "So."}]},
        {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "2"},
        {
            "type": "mcp_call",
            "id": "d",
            "name": "look",
            "arguments": "{}",
            "server_label": "a",
            "output": "3",
        },
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "And this?"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"},
                {"type": "input_file", "file_data": "data:text/plain,words", "filename": "a.txt"},
            ],
        },
    ]
    async with serving_openai(tmp_path / "a.db", model) as (ai, _, _client):
        await ask(ai, items)
        sent = model.requests[0]
        roles = ["system", "user", "assistant", "tool", "assistant", "tool", "user"]
        assert [message["role"] for message in sent] == roles
        assert [sent[place]["content"] for place in (3, 5)] == ["2", "3"]
        assert [part["type"] for part in sent[6]["content"]] == ["text", "image_url", "text"]


async def test_approvals_and_outcomes_are_asked_for_and_answered(tmp_path: Path) -> None:
    uses = [ToolUse("pay", {"amount": n}, id=f"p{n}") for n in (1, 2)]
    async with serving_openai(tmp_path / "a.db", ScriptedModel([uses, ["Thanks."]])) as (ai, _, _client):
        waiting = await ask(ai)
        assert (waiting.status, waiting.incomplete_details.reason) == ("incomplete", "awaiting_tool_results")
        assert [(item.status, item.approval_request_id) for item in waiting.output] == [
            ("incomplete", "p1"),
            ("incomplete", "p2"),
        ]
        yes: Any = {"type": "mcp_approval_response", "approval_request_id": "p1", "approve": True}
        no = yes | {"approval_request_id": "p2", "approve": False, "reason": "Too dear."}
        done: Any = None
        for _ in range(2):  # answered twice
            done = await ask(ai, [yes, no], previous_response_id=waiting.id)
            assert (done.id, done.status, done.output_text) == (waiting.id, "completed", "Thanks.")
        assert [item.output for item in done.output[:2]] == ["paid 1", None]
        assert done.output[1].error == "Denied."
        for wrong in ([yes | {"approval_request_id": "none"}], [yes, {"role": "user", "content": "Hi"}]):
            with pytest.raises(openai.BadRequestError):
                await ask(ai, wrong, previous_response_id=waiting.id)
        with pytest.raises(openai.BadRequestError):
            await ask(ai, [yes])


async def test_background_response_is_followed_cancelled_and_deleted(tmp_path: Path) -> None:
    def turns(_: Any) -> Any:
        yield "Half "
        yield from held(asyncio.Event())

    async with serving_openai(tmp_path / "a.db", turns) as (ai, api, _):
        begun = await ask(ai, background=True)
        assert (begun.status, begun.background) == ("in_progress", True)
        stream = await ai.responses.retrieve(begun.id, stream=True)
        told: list[Any] = []
        async for event in stream:
            told.append(event)
            if event.type == "response.output_text.delta":
                ended = await ai.responses.cancel(begun.id)
                assert (ended.status, ended.output_text) == ("cancelled", "Half ")
        assert (told[-1].type, told[-1].response.status) == ("response.incomplete", "cancelled")
        assert (await ai.responses.cancel(begun.id)).status == "cancelled"
        await ai.responses.delete(begun.id)
        assert await api.list_threads() == []
        with pytest.raises(openai.NotFoundError):
            await ai.responses.retrieve(begun.id)


async def test_only_the_only_response_of_a_thread_is_deleted(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", echo) as (ai, api, _):
        first = await ask(ai)
        second = await ask(ai, previous_response_id=first.id)
        for response in (first, second):
            with pytest.raises(openai.ConflictError):
                await ai.responses.delete(response.id)
        assert len(await api.list_messages(first.conversation.id)) == 4


async def test_failed_turn_is_a_failed_response(tmp_path: Path) -> None:
    limit = errors.ModelError("Slow down.", kind="rate_limited")
    async with serving_openai(tmp_path / "a.db", ScriptedModel([["Half ", limit]])) as (ai, _, _client):
        failed = await ask(ai)
        assert (failed.status, failed.error.code, failed.error.message) == (
            *("failed", "rate_limit_exceeded", "Slow down."),
        )
        assert [e.type async for e in await ai.responses.retrieve(failed.id, stream=True)][
            -1
        ] == "response.failed"


@pytest.mark.parametrize("again", ["Half a word.", "Other words."])
async def test_lost_attempt_is_continued_if_the_next_one_begins_alike_else_an_error(
    again: str, tmp_path: Path
) -> None:
    seen = asyncio.Event()
    attempts = iter(["Half a ", again])

    def turns(_: Any) -> Any:
        text = next(attempts)
        yield text
        if text != again:
            yield from held(seen)
            yield errors.ModelError("Lost.", kind="network", retryable=True)

    async with serving_openai(tmp_path / "a.db", turns) as (ai, _, _client):
        told: list[Any] = []
        async for event in await ask(ai, stream=True):
            told.append(event)
            if event.type == "response.output_text.delta":
                seen.set()
        if again.startswith("Half a "):
            assert (text_of(told), told[-1].type) == (again, "response.completed")
        else:
            assert (text_of(told), told[-1].code) == ("Half a ", "answer_restarted")
            assert (await ai.responses.retrieve(told[0].response.id)).output_text in ("", again)


async def test_threads_of_others_are_invisible(tmp_path: Path) -> None:
    def own(ctx: Any, _: str, thread: Any) -> None:
        if thread is not None and thread.user_id != ctx.user_id:
            raise errors.AccessDeniedError("This thread is somebody else's.")

    def who(request: Any) -> CallContext:
        return CallContext(request.headers["authorization"].removeprefix("Bearer "))

    key = {"extra_headers": {"Idempotency-Key": "same"}}
    async with serving_openai(tmp_path / "a.db", echo, authorize=own, context=who) as (ai, _, _client):
        ann, bob = ai.with_options(api_key="ann"), ai.with_options(api_key="bob")
        hers, his = await ask(ann, **key), await ask(bob, **key)
        assert hers.conversation.id != his.conversation.id, "a key is the caller's own"
        for call in (
            lambda: bob.responses.retrieve(hers.id),
            lambda: bob.responses.cancel(hers.id),
            lambda: bob.responses.delete(hers.id),
            lambda: ask(bob, previous_response_id=hers.id),
            lambda: ask(bob, conversation=hers.conversation.id),
            lambda: bob.chat.completions.create(
                model="assistant",
                messages=[{"role": "user", "content": "Hi"}],
                metadata={"thread_id": hers.conversation.id},
            ),
        ):
            with pytest.raises(openai.NotFoundError):
                await call()
        assert (await ann.responses.retrieve(hers.id)).output_text == "1: Hi"


async def test_two_servers_share_a_key(path: Path) -> None:
    model = ScriptedModel(echo)
    key = {"extra_headers": {"Idempotency-Key": "same"}}
    async with (
        serving_openai(path, model) as (one, api, _),
        serving_openai(path, model) as (two, _, _client),
    ):
        answers = await asyncio.gather(*(ask(ai, **key) for ai in (one, two) * 3))
        assert len({answer.id for answer in answers}) == len(model.requests) == 1
        assert {answer.output_text for answer in answers} == {"1: Hi"}
        await eventually(lambda: _single(api))


async def _single(api: Any) -> bool:
    return len(await api.list_threads()) == 1
