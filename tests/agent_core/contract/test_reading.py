"""The contract of reading: messages, streams, subscriptions and the timeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from agent_core import Agent, AgentApi, Runtime, action_tool, define_agent_api
from agent_core.testing import ScriptedModel, ToolUse
from tests.agent_core.contract.support import Contract, chunk_types


@action_tool
async def get_weather(location: str) -> dict[str, str]:
    """Get the weather."""
    return {"location": location, "sky": "clear"}


async def test_messages_are_read_page_by_page(contract: Contract) -> None:
    async with contract.api([]) as api:
        thread = await api.create_thread()
        ids = [(await api.add_message(thread.id, {"role": "user", "content": f"{n}"})).id for n in range(7)]
        newest = await api.list_messages(thread.id, limit=3)
        assert [m.id for m in newest] == ids[4:]
        assert [m.id for m in await api.list_messages(thread.id, limit=3, before=newest[0].id)] == ids[1:4]
        assert ids == sorted(ids)


async def test_a_subscription_misses_and_repeats_nothing(contract: Contract) -> None:
    words = [f"w{n} " for n in range(30)]
    left = asyncio.Event()

    def turn(_messages: list[dict[str, Any]]) -> Iterator[str | float]:
        for number, word in enumerate(words):
            while number == 20 and not left.is_set():  # the reader leaves before the answer is complete
                yield 0.01
            yield from (word, 0.005)

    async with contract.api(turn) as api:
        thread = await api.create_thread("Go")
        text, cursor, seen = "", None, []
        async for update in api.subscribe(thread.id):
            seen.append(update.type)
            for chunk in update.chunks:
                text += chunk["delta"] if chunk["type"] == "text-delta" else ""
            cursor = update.cursor
            if len(text) > 40:
                break
        left.set()
        async for update in api.subscribe(thread.id, cursor):
            assert update.type == "chunks"
            for chunk in update.chunks:
                text += chunk["delta"] if chunk["type"] == "text-delta" else ""
            if "finish-step" in chunk_types(update):
                break
        assert seen[0] == "snapshot"
        assert text == "".join(words)


async def test_stream_updates_begin_at_a_seq(contract: Contract) -> None:
    async with contract.api(
        [[ToolUse("get_weather", {"location": "Rome"})], ["Clear."]], tools=[get_weather]
    ) as api:
        thread = await api.create_thread("Weather?")
        done = await api.wait_until_idle(thread.id, 20)
        everything = await api.stream_updates(thread.id)
        assert [u.seq for u in everything] == sorted(u.seq for u in everything)
        assert {"tool-input-available", "tool-output-available"} <= {
            t for u in everything for t in chunk_types(u)
        }
        newest = await api.stream_updates(thread.id, from_seq=done.seq)
        assert [u.seq for u in newest] == [done.seq]


async def test_list_messages_with_streams_returns_both_forms(contract: Contract) -> None:
    async with contract.api([["Hello."]]) as api:
        thread = await api.create_thread("Hi")
        await api.wait_until_idle(thread.id, 20)
        plain = await api.list_messages_with_streams(thread.id)
        listed = await api.list_messages_with_streams(thread.id, {"kind": "list"})
        deltas = await api.list_messages_with_streams(thread.id, {"kind": "deltas", "cursors": []})
        for answer in (plain, listed, deltas):
            assert len(answer["messages"]) == 2
        assert listed["streams"]["kind"] == "list"
        assert deltas["streams"]["kind"] == "deltas"


async def test_a_timeline_tells_what_ran(contract: Contract) -> None:
    turns = [[ToolUse("get_weather", {"location": "Rome"})], ["Clear."]]
    async with contract.api(turns, tools=[get_weather]) as api:
        thread = await api.create_thread("Weather?")
        await api.wait_until_idle(thread.id, 20)
        spans = await api.timeline(thread.id)
        kinds = [span.kind for span in spans]
        assert kinds.count("model") == 2
        assert kinds.count("tool") == 1
        assert all(span.started_at is not None and span.ended_at is not None for span in spans)
        assert [s.started_at for s in spans] == sorted(s.started_at for s in spans)


# from another process


@pytest.fixture
async def two_apis(contract: Contract) -> AsyncGenerator[tuple[AgentApi, AgentApi]]:
    """Yield the APIs of two runtimes on one database; the second runtime has no worker and only reads."""
    async with (
        contract.api([["Hello ", 0.1, "you."]]) as api,
        Runtime(contract.url, **contract.pools(), work=False) as other,
    ):
        yield api, define_agent_api(other, Agent("assistant", ScriptedModel([])))


async def test_a_thread_is_followed_from_another_process_too(two_apis: tuple[AgentApi, AgentApi]) -> None:
    api, other = two_apis
    thread = await api.create_thread()
    updates = other.subscribe(thread.id)
    assert (await anext(updates)).type == "snapshot"
    await api.send_message(thread.id, "Hi")
    text = ""
    async with asyncio.timeout(20):
        async for update in updates:
            text += "".join(c["delta"] for c in update.chunks if c["type"] == "text-delta")
            if "finish-step" in chunk_types(update):
                break
    await updates.aclose()
    assert text == "Hello you."
