"""Tools that the client runs: its tool loop over chat completions and responses, sent twice, in parts, by others."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import openai
import pytest

from agent_core import CallContext, errors
from agent_core.domain.model_adapter import Usage
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.support.servers.openai_server import serving_openai

LONE = pytest.mark.unpaired
"""Mark of requests that have outcomes without their calls, or calls without their outcomes."""
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
FUNCTION: dict[str, Any] = {"name": "weather", "strict": True, "parameters": PARAMETERS}
CHAT: dict[str, Any] = {"model": "assistant", "tools": [{"type": "function", "function": FUNCTION}]}
RESPONSE: dict[str, Any] = {"model": "assistant", "tools": [{"type": "function", **FUNCTION}]}
HI: list[Any] = [{"role": "user", "content": "Where is it warmer?"}]
CITIES = [ToolUse("weather", {"city": city}, id="given") for city in ("Rome", "Oslo")]


def loop(messages: list[dict[str, Any]]) -> list[Any]:
    """Look, then ask for two cities, then for a third, then answer."""
    outcomes = [message["content"] for message in messages if message["role"] == "tool"]
    if not outcomes:
        return ["Let me see.", ToolUse("look", {"n": 1}), *CITIES, Usage(1, 1, 2)]
    if len(outcomes) == 3:
        return [ToolUse("weather", {"city": "Bonn"}), Usage(2, 2, 4)]
    return [f"Rome: {' '.join(outcomes)}", Usage(3, 3, 6)]


def outcomes_of(message: Any) -> list[Any]:
    """Return an answer and the outcomes of its calls, as clients send them."""
    calls = [
        {"role": "tool", "tool_call_id": call.id, "content": json.loads(call.function.arguments)["city"]}
        for call in message.tool_calls
    ]
    return [message.to_dict(), *calls]


async def snapshot(api: Any, thread_id: str) -> list[Any]:
    """Return the chunks with the runs of a thread's calls, for a new reader."""
    async with aclosing(api.subscribe(thread_id, ctx=CallContext("ann"))) as updates:
        first = await anext(updates)
    return [chunk for chunk in first.chunks if chunk["type"] == "data-tool-run"]


async def test_chat_client_runs_its_tools_until_the_answer_is_there(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", loop) as (ai, api, _):
        messages, answers = list(HI), list[Any]()
        for _step in range(3):
            answers.append(await ai.chat.completions.create(messages=messages, **CHAT))
            if answers[-1].choices[0].finish_reason == "tool_calls":
                messages += outcomes_of(answers[-1].choices[0].message)
        first, second, last = (answer.choices[0] for answer in answers)
        assert [call.function.name for call in first.message.tool_calls] == ["weather", "weather"]
        assert (first.message.content, second.message.content) == ("Let me see.", None)
        assert [call["name"] for call in first.message.server_tool_calls] == ["look"], "the agent's own"
        assert (last.finish_reason, last.message.content) == ("stop", "Rome: seen 1 Rome Oslo Bonn")
        assert [answer.usage.total_tokens for answer in answers] == [2, 4, 6]
        assert len({answer.id for answer in answers}) == 3
        (thread,) = await api.list_threads()
        assert {answer.thread_id for answer in answers} == {thread.id}


async def test_a_stream_has_whole_calls_and_goes_on_after_their_outcomes(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", loop) as (ai, _, _client):
        messages, texts, reasons = list(HI), list[str](), list[Any]()
        while not reasons or reasons[-1] == "tool_calls":
            async with ai.chat.completions.stream(messages=messages, **CHAT) as stream:
                told = [event async for event in stream]
                done = await stream.get_final_completion()
            reasons.append(done.choices[0].finish_reason)
            texts.append(done.choices[0].message.content or "")
            if reasons[-1] == "tool_calls":
                assert "tool_calls.function.arguments.done" in [event.type for event in told]
                messages += outcomes_of(done.choices[0].message)
        assert (texts, reasons) == (
            ["Let me see.", "", "Rome: seen 1 Rome Oslo Bonn"],
            ["tool_calls", "tool_calls", "stop"],
        )


@pytest.mark.parametrize("is_stateless", [pytest.param(False, marks=LONE), True])
async def test_response_client_runs_its_tools(tmp_path: Path, is_stateless: bool) -> None:
    async with serving_openai(tmp_path / "a.db", loop) as (ai, _, client):
        items: list[Any] = list(HI)
        answers: list[Any] = [await ai.responses.create(input=items, **RESPONSE)]
        while calls := [item for item in answers[-1].output if item.type == "function_call"]:
            outputs: list[Any] = [
                {
                    "type": "function_call_output",
                    "call_id": call.call_id,
                    "output": json.loads(call.arguments)["city"],
                }
                for call in calls
            ]
            items += [item.to_dict() for item in answers[-1].output] + outputs
            more: dict[str, Any] = {} if is_stateless else {"previous_response_id": answers[-1].id}
            given = items if is_stateless else outputs
            answers.append(await ai.responses.create(input=given, **more, **RESPONSE))
            again = await ai.responses.create(input=given, **more, **RESPONSE)
            assert again == answers[-1], "sent twice"
        assert [answer.status for answer in answers] == ["completed"] * 3
        assert answers[-1].output_text == "Rome: seen 1 Rome Oslo Bonn"
        assert [answer.previous_response_id for answer in answers[1:]] == [answers[0].id, answers[1].id]
        for answer in answers:
            assert await ai.responses.retrieve(answer.id) == answer
            told: Any = await ai.responses.retrieve(answer.id, stream=True)
            assert [event async for event in told][-1].response == answer
        listed = [item async for item in ai.responses.input_items.list(answers[-1].id, order="asc")]
        assert [item.type for item in listed if item.type.startswith("function")] == [
            *("function_call", "function_call", "function_call_output", "function_call_output"),
            *("function_call", "function_call_output"),
        ]
        for wrong in (f"{answers[0].id}_4", f"{answers[0].id}_9"):
            assert (await client.get(f"/responses/{wrong}")).status_code == 404


async def test_outcomes_sent_twice_are_one_turn_and_the_first_ones_stay(tmp_path: Path) -> None:
    model = ScriptedModel([CITIES, ["Done."]])
    async with serving_openai(tmp_path / "a.db", model) as (ai, api, _):
        key: dict[str, Any] = {"extra_headers": {"Idempotency-Key": "k"}}
        first = await ai.chat.completions.create(messages=HI, **CHAT, **key)
        messages = [*HI, *outcomes_of(first.choices[0].message)]
        other = [*messages[:-1], {**messages[-1], "content": "Other"}]
        same = await asyncio.gather(
            *(ai.chat.completions.create(messages=one, **CHAT, **key) for one in (messages, messages, other))
        )
        assert {answer.choices[0].message.content for answer in same} == {"Done."}
        assert len({answer.id for answer in same}) == 1
        assert len(model.requests) == 2
        assert await ai.chat.completions.create(messages=HI, **CHAT, **key) == first, "the first part again"
        assert len(await api.list_threads()) == 1


@LONE
async def test_every_call_needs_its_outcome_and_only_its_caller_gives_it(tmp_path: Path) -> None:
    def own(ctx: Any, _: str, thread: Any) -> None:
        if thread is not None and thread.user_id != ctx.user_id:
            raise errors.AccessDeniedError("This thread is somebody else's.")

    def who(request: Any) -> CallContext:
        return CallContext(request.headers["authorization"].removeprefix("Bearer "))

    model = ScriptedModel([CITIES])
    async with serving_openai(tmp_path / "a.db", model, authorize=own, context=who) as (ai, api, _):
        ann, bob = ai.with_options(api_key="ann"), ai.with_options(api_key="bob")
        first = await ann.chat.completions.create(messages=HI, **CHAT)
        answer: Any
        answer, *outcomes = outcomes_of(first.choices[0].message)
        foreign: Any = {"role": "assistant", "tool_calls": [{**answer["tool_calls"][0], "id": "other"}]}
        for client, sent, code in (
            (ann, [*HI, answer], "tool_call_not_answered"),
            (ann, [*HI, answer, outcomes[0]], "tool_call_not_answered"),
            (ann, [*HI, foreign, {**outcomes[0], "tool_call_id": "other"}], "tool_call_not_found"),
            (bob, [*HI, answer, *outcomes], "tool_call_not_found"),
        ):
            with pytest.raises(openai.BadRequestError) as caught:
                await client.chat.completions.create(messages=sent, **CHAT)
            assert caught.value.code == code
        half: Any = {**answer, "tool_calls": answer["tool_calls"][:1]}
        with pytest.raises(openai.BadRequestError) as left:
            await ann.chat.completions.create(messages=[*HI, half, outcomes[0]], **CHAT)
        assert left.value.code == "tool_call_not_answered"
        (waiting, _) = await api.list_waiting()
        assert waiting.kind == "outcome", "nothing was written"
        runs = [chunk["data"]["status"] for chunk in await snapshot(api, waiting.thread_id)]
        assert runs == ["waiting", "waiting"], "the page shows that they wait, also after a reload"


async def test_a_stopped_turn_takes_no_outcome(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", ScriptedModel([CITIES])) as (ai, api, _):
        first = await ai.chat.completions.create(messages=HI, **CHAT)
        await api.stop_thread(first.thread_id)
        with pytest.raises(openai.ConflictError) as caught:
            await ai.chat.completions.create(messages=[*HI, *outcomes_of(first.choices[0].message)], **CHAT)
        assert caught.value.code == "answer_stopped"


async def test_a_turn_that_is_not_stored_is_deleted_after_its_last_part(tmp_path: Path) -> None:
    async with serving_openai(tmp_path / "a.db", ScriptedModel([CITIES, ["Done."]])) as (ai, api, _):
        first = await ai.chat.completions.create(messages=HI, store=False, **CHAT)
        assert len(await api.list_threads()) == 1
        messages = [*HI, *outcomes_of(first.choices[0].message)]
        assert (await ai.chat.completions.create(messages=messages, store=False, **CHAT)).choices

        async def none() -> bool:
            return await api.list_threads() == []

        await eventually(none)


async def test_model_is_offered_the_clients_tools_as_each_request_says(tmp_path: Path) -> None:
    seen: list[tuple[list[str], Any]] = []

    class Recording(ScriptedModel):
        def stream(self, request: Any) -> Any:
            names = [tool["function"]["name"] for tool in request.tools]
            seen.append((names, request.options))
            return super().stream(request)

    turns = [[ToolUse("look", {"n": 1})], [ToolUse("Weather", "nonsense")], ["Done."], ["Yes."]]
    async with serving_openai(tmp_path / "a.db", Recording(turns)) as (ai, _, _client):
        first: Any = await ai.chat.completions.create(
            messages=HI, **CHAT, tool_choice="required", parallel_tool_calls=False
        )
        call = first.choices[0].message.tool_calls[0]
        assert (call.function.name, call.function.arguments) == ("Weather", '{"INVALID_JSON": "nonsense"}')
        outcome: Any = {"role": "tool", "tool_call_id": call.id, "content": "?"}
        await ai.chat.completions.create(
            messages=[*HI, first.choices[0].message, outcome], **CHAT, tool_choice="none"
        )
        await ai.chat.completions.create(messages=HI, model="assistant")
        offered = ["look", "pay", "weather"]
        assert (
            seen
            == [
                (offered, {"parallel_tool_calls": False, "tool_choice": "required"}),
                (
                    offered,
                    {"parallel_tool_calls": False},
                ),  # the agent's own tool is not chosen again and again
                (offered[:2], {}),
                (offered[:2], {}),
            ]
        )
