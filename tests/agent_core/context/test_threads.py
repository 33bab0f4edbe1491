"""Context of running threads: every request fits, and one note in the thread says what was left out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core.context import ContextRequest, ContextResult, TrimOldest
from agent_core.domain.messages import Message
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import (
    QUICK,
    Follower,
    agent_on,
    finished,
    lose_leases,
    prepare,
    texts,
    worker_of,
)
from tests.support.contexts import METER

WORDS = "word " * 50


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


def old_messages(count: int) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [{"role": roles[number % 2], "content": f"{number} {WORDS}"} for number in range(count)]


def notes(messages: list[Message]) -> list[dict[str, Any]]:
    return [part["data"] for message in messages for part in message.parts if part["type"] == "data-context"]


def sizes(model: ScriptedModel) -> list[int]:
    return [sum(METER.message(message) for message in request) for request in model.requests]


@action_tool
async def look(page: int) -> str:
    """Look at a page."""
    return f"page {page}: " + "text " * 60


def looker(steps: int) -> ScriptedModel:
    """Return a model that calls `look` `steps` times in each turn and then answers."""

    def answer(messages: list[dict[str, Any]]) -> list[Any]:
        newest = max(place for place, message in enumerate(messages) if message["role"] == "user")
        seen = sum(message["role"] == "tool" for message in messages[newest:])
        return [f"Seen {seen}."] if seen >= steps else [ToolUse("look", {"page": seen})]

    return ScriptedModel(answer)


async def test_thread_of_two_thousand_messages_goes_on(path: Path):
    """Each request stays within the window, and the cut moves rarely and never because of a restart."""
    policy = TrimOldest(max_tokens=3_000)
    model = looker(4)
    async with agent_on(path, model, tools=[look], system="Be kind.", context=policy) as api:
        thread = await api.create_thread(messages=old_messages(2_000))
        async with Follower(api, thread.id) as follower:
            for number in range(3):
                await api.send_message(thread.id, f"question {number}")
                assert (await finished(api, thread)).status == "completed"
            await follower.agrees()
            stored = await api.list_messages(thread.id)
            assert notes(stored) == [
                part["data"]
                for message in follower.view.messages
                for part in message["parts"]
                if part["type"] == "data-context"
            ]
    assert len(model.requests) == 15
    assert max(sizes(model)) <= 3_000
    assert all(request[0]["content"] == "Be kind." for request in model.requests)
    assert model.requests[-1][-9]["content"] == "question 2"
    cuts = notes(stored)
    assert 1 <= len(cuts) <= 2, "15 requests, and at most two cuts"
    assert cuts[0]["dropped_messages"] > 1_900
    before = model.requests[-1]
    again = looker(0)
    async with agent_on(path, again, tools=[look], system="Be kind.", context=policy) as api:
        await api.send_message(thread.id, "and now?")
        await finished(api, thread)
        assert notes(await api.list_messages(thread.id)) == cuts
    assert again.requests[0][: len(before)] == before, "providers cache what stays the same"


async def test_messages_that_are_left_out_of_a_request_stay_in_the_thread(path: Path):
    model = ScriptedModel(lambda _: ["Well."])
    async with agent_on(path, model, context=TrimOldest(max_tokens=500)) as api:
        thread = await api.create_thread("first", messages=old_messages(40))
        await finished(api, thread)
        assert len(await texts(api, thread)) == 42
    whole = ScriptedModel(lambda _: ["Well."])
    async with agent_on(path, whole, context=None) as api:
        await api.send_message(thread.id, "again")
        await finished(api, thread)
        (request,) = whole.requests
        assert len(request) == 43
        assert all(set(message) <= {"role", "content"} for message in request)
        assert len(notes(await api.list_messages(thread.id))) == 1


async def test_the_default_has_no_limit_for_a_model_that_knows_none(path: Path):
    model = ScriptedModel([["Well."]])
    async with agent_on(path, model) as api:
        thread = await api.create_thread("last", messages=old_messages(300))
        await finished(api, thread)
        assert notes(await api.list_messages(thread.id)) == []
    assert len(model.requests[0]) == 301


async def test_a_message_that_is_too_long_fails_and_the_thread_goes_on(path: Path):
    model = ScriptedModel(lambda _: ["Well."])
    retried: list[Any] = []
    policy = TrimOldest(max_tokens=500)
    async with agent_on(path, model, context=policy, on_retry=lambda *_: retried.append(1)) as api:
        thread = await api.create_thread("word " * 5_000)
        failed = await finished(api, thread)
        assert (failed.status, failed.error_kind) == ("failed", "context_window_exceeded")
        assert failed.error
        assert "Shorten the message" in failed.error
        await api.resume_thread(thread.id)
        assert (await finished(api, thread)).status == "failed"
        assert (model.requests, retried) == ([], []), "nothing is asked that cannot fit"
        await api.send_message(thread.id, "short")
        assert (await finished(api, thread)).status == "completed"
        assert model.requests == [[{"role": "user", "content": "short"}]]
        (note,) = notes(await api.list_messages(thread.id))
        assert (note["dropped_messages"], note["dropped_turns"]) == (1, 1)


async def test_an_outcome_of_a_mebibyte_is_stored_whole_and_sent_shortened(path: Path):
    @action_tool
    async def read() -> str:
        """Read everything."""
        return "x" * ((1 << 20) - 10)

    turns: list[Any] = [[ToolUse("read")], ["It says x."], ["As I said."]]
    model = ScriptedModel(turns)
    async with agent_on(path, model, tools=[read], context=TrimOldest(max_tokens=2_000)) as api:
        thread = await api.create_thread("Read it")
        assert (await finished(api, thread)).status == "completed"
        await api.send_message(thread.id, "What?")
        await finished(api, thread)
        parts = [part for message in await api.list_messages(thread.id) for part in message.parts]
        (tool,) = [part for part in parts if part["type"] == "tool-read"]
        assert len(tool["output"]) == (1 << 20) - 10, "people are shown all of it"
        assert len(notes(await api.list_messages(thread.id))) == 1
    assert max(sizes(model)) <= 2_000
    assert model.requests[2][: len(model.requests[1])] == model.requests[1]


async def test_a_lost_attempt_is_cut_again_in_the_same_way(path: Path):
    """The first runtime loses its lease in mid-answer; the second sends the same request."""
    held, asked = asyncio.Event(), []

    async def answer(messages: list[dict[str, Any]]) -> list[Any]:
        asked.append(messages)
        if len(asked) == 1:
            await held.wait()
        return ["Well."]

    policy = TrimOldest(max_tokens=1_000)
    model = ScriptedModel(answer)
    async with agent_on(path, model, settings=QUICK, context=policy) as first:
        thread = await first.create_thread("last", messages=old_messages(60))
        await eventually(lambda: asked)
        async with agent_on(path, model, settings=QUICK, context=policy) as second:
            await lose_leases(first)
            await finished(second, thread)
            held.set()
            await eventually(lambda: not worker_of(first).pools.steps.busy)
            assert asked[0] == asked[1]
            assert len(notes(await second.list_messages(thread.id))) == 1


async def test_an_attempt_that_breaks_off_keeps_its_note_with_its_words(path: Path):
    gone = ConnectionError("gone")
    model = ScriptedModel([["Half", gone], ["Half", gone], ["Half", gone], ["Whole."]])
    async with agent_on(path, model, context=TrimOldest(max_tokens=1_000)) as api:
        thread = await api.create_thread("last", messages=old_messages(60))
        async with Follower(api, thread.id) as follower:
            assert (await finished(api, thread)).status == "failed"
            await follower.agrees()
            await api.send_message(thread.id, "Go on")
            await finished(api, thread)
            await follower.agrees()
        kinds = [[part["type"] for part in message.parts] for message in await api.list_messages(thread.id)]
    assert kinds[-3] == ["step-start", "data-context", "text"]
    assert kinds[-1] == ["step-start", "text"]


async def test_a_custom_policy_gets_its_note_and_decides_what_is_sent(path: Path):
    seen: list[ContextRequest] = []

    async def last_only(request: ContextRequest) -> ContextResult:
        seen.append(request)
        return ContextResult(request.messages[-1:], {"cut": len(seen)} if request.note is None else None)

    model = looker(1)

    def loud(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return (
            [*messages, {"role": "user", "content": "Quick!"}]
            if messages
            else [{"role": "user", "content": "-"}]
        )

    async with agent_on(path, model, tools=[look], context=last_only, transform_messages=loud) as api:
        thread = await api.create_thread("Look")
        await eventually(lambda: len(model.requests) >= 2)
        await api.stop_thread(thread.id)
        assert notes(await api.list_messages(thread.id)) == [{"cut": 1}]
    assert [request.note for request in seen[:2]] == [None, {"cut": 1}]
    assert [message["role"] for message in seen[1].messages] == ["user", "assistant", "tool"]
    assert model.requests[0] == [{"role": "user", "content": "Look"}, {"role": "user", "content": "Quick!"}]
    assert model.requests[1] == [{"role": "user", "content": "-"}], "an outcome without its call is not sent"


@pytest.mark.parametrize("result", ["raises", "is no JSON"])
async def test_a_policy_that_fails_fails_the_turn_in_its_words(path: Path, result: str):
    async def policy(request: ContextRequest) -> ContextResult:
        if result == "raises":
            raise RuntimeError("no policy today")
        return ContextResult(request.messages, {"at": object()})

    async with agent_on(path, ScriptedModel([]), context=policy) as api:
        thread = await api.create_thread("Hi")
        failed = await finished(api, thread)
    assert failed.status == "failed"
    assert failed.error == ("no policy today" if result == "raises" else failed.error)
    assert failed.error
    assert "not JSON" in failed.error or result == "raises"


async def test_a_restart_while_the_policy_works_is_no_crash(path: Path):
    """A worker that shuts down releases the step; otherwise three such restarts would fail it."""
    reached = asyncio.Event()

    async def slow(request: ContextRequest) -> ContextResult:
        reached.set()
        await asyncio.sleep(3600)
        return ContextResult(request.messages)

    thread_id = ""
    for number in range(4):
        reached.clear()
        async with agent_on(path, ScriptedModel([]), context=slow) as api:
            if number == 0:
                thread_id = (await api.create_thread("Hi")).id
            await asyncio.wait_for(reached.wait(), 20)
    async with agent_on(path, [["Well."]]) as api:
        assert (await finished(api, thread_id)).status == "completed"
