"""Stream of a turn: only chunks of its own reply, however the previous turn ended, and nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent_core import AgentApi, errors
from agent_core.streaming.fold import fold
from agent_core.support.settings import Settings
from agent_core.testing import Reasoning, ToolUse, eventually
from tests.agent_core.http.test_ai_sdk_chat import BUSY, LONG, look, pay, post, reply, said, whole
from tests.agent_core.http.test_ai_sdk_client_lists import agrees, sent, shown, wrote
from tests.support.agents import finished, held
from tests.support.servers.http_server import events, serving

BROKEN = errors.ModelError("The key is wrong.", kind="auth")
ENDS: dict[str, list[Any]] = {
    "failed": [[Reasoning("Hm."), "Half", BROKEN]],
    "failed without a word": [[BROKEN]],
    "stopped": [["Half", LONG]],
    "interrupted": [["Half", LONG]],
    "waiting": [["Half", ToolUse("pay", {"amount": 1}, id="p")]],
    "retrying": [["Half", BUSY], ["Ha", BUSY], ["Half a", LONG]],
}


async def begun(client: httpx.AsyncClient, api: AgentApi, end: str) -> None:
    """Run the first turn until it has ended as `end` says, or is just about to."""
    sending = asyncio.create_task(post(client, said("Go", "m1")))
    if end in ("stopped", "interrupted", "retrying"):
        await eventually(lambda: wrote(api, "Half a" if end == "retrying" else "Half"))
        if end == "stopped":
            await client.post("/threads/t/stop")
    if end not in ("interrupted", "retrying"):
        await sending


@pytest.mark.parametrize("end", ENDS)
async def test_a_stream_has_its_own_reply_only(path: Path, end: str) -> None:
    turns = [*ENDS[end], [ToolUse("look", id="l")], ["Sent."], ["Edited."], ["Cut."], ["Again."]]
    busy = "interrupt" if end in ("interrupted", "retrying") else "end_wait"
    async with serving(path, turns, tools=[look, pay], when_busy=busy) as (client, _api):
        await begun(client, _api, end)
        before = await shown(client)
        listed = before if before[-1]["role"] == "assistant" else [said("Go", "m1")]
        messages = await sent(client, [*listed, said("On", "m2")])
        assert [part.get("text") for part in messages[-1]["parts"]][-1] == "Sent."
        assert "Half" not in str(messages[-1]["parts"])
        if end != "waiting":  # the stream cannot update the approval card of the previous turn
            await agrees(client, [*(await shown(client))[:-2], *messages[-2:]])
        await agrees(client, await sent(client, [said("Other", "m1")], messageId="m1"))
        await agrees(client, await sent(client, [said("Other", "m1"), said("Cut", "m3")]))
        await agrees(client, await sent(client, [said("Other", "m1")], trigger="regenerate-message"))


async def post_live(
    client: httpx.AsyncClient, go: asyncio.Event, message: dict[str, Any]
) -> list[dict[str, Any]]:
    """Send a message, and let the model continue whenever a text has arrived."""
    chunks: list[dict[str, Any]] = []
    async with client.stream("POST", "/chat", json={"id": "t", "messages": [message]}) as response:
        async for event in events(response):
            if event.data == "[DONE]":
                break
            chunks.append(event.data)
            if event.data["type"] == "text-delta":
                go.set()
    return chunks


def lost(go: asyncio.Event, *said: Any) -> Any:
    """Yield a turn that breaks off once its text has been read."""
    yield from said
    yield from held(go)
    go.clear()
    yield BUSY


async def test_words_of_a_lost_attempt_are_taken_back(path: Path) -> None:
    go, use = asyncio.Event(), ToolUse("look", id="l")
    turns = [lost(go, Reasoning("Hm"), "Fir", "st", use), [use], lost(go, "Se"), ["Second."]]
    async with serving(path, turns, tools=[look]) as (client, api):
        chunks = await post_live(client, go, said("Hi"))
        assert [chunk["type"] for chunk in chunks].count("reset-step") == 2
        assert fold(chunks) == (await reply(api)).parts
        assert [part["type"] for part in fold(chunks)] == ["step-start", "tool-look", "step-start", "text"]


async def test_a_client_that_cannot_take_back_is_told_to_resume(path: Path) -> None:
    go = asyncio.Event()
    async with serving(path, [lost(go, "First"), ["Second."]]) as (client, api):
        client.headers["x-ai-sdk"] = "6.0.326"
        chunks = await post_live(client, go, said("Hi"))
        assert chunks[-1]["type"] == "error"
        assert "resume" in chunks[-1]["errorText"]
        assert [chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta"] == ["First"]
        await finished(api, "t")
        assert fold(await post(client, said("Hi"))) == (await reply(api)).parts


async def test_a_stream_that_nothing_has_to_be_taken_back_from_is_whole_for_every_version(path: Path) -> None:
    async with serving(path, [[BUSY], ["One."], ["Two."]]) as (client, api):
        for version in ("5", "6.0.326"):
            client.headers["x-ai-sdk"] = version
            chunks = await post(client, said("Hi", f"m{version}"))
            assert not any(chunk["type"] == "reset-step" for chunk in chunks)
            assert fold(chunks) == (await reply(api)).parts


async def test_a_reader_who_comes_during_a_retry_begins_with_what_is_there(path: Path) -> None:
    go = asyncio.Event()

    def words() -> Any:
        yield "Sec"
        yield from held(go)
        yield "ond."

    async with serving(path, [["First", BUSY], words()]) as (client, api):
        sending = asyncio.create_task(post(client, said("Hi")))
        await eventually(lambda: wrote(api, "Sec"))
        async with client.stream("GET", "/chat/t/stream") as response:
            go.set()
            chunks = await whole(response)
        assert not any(chunk["type"] == "reset-step" for chunk in chunks)
        assert fold(chunks) == fold(await sending) == (await reply(api)).parts


async def test_a_reader_who_comes_while_a_retry_waits_sees_nothing_of_the_lost_attempt(path: Path) -> None:
    later = errors.ModelError("Busy.", kind="rate_limited", retryable=True, retry_after=0.5)
    async with serving(path, [["First", later], ["Second."]]) as (client, api):
        await api.create_thread("Hi", thread_id="t")

        async def waits() -> bool:
            thread = await api.get_thread("t")
            return thread is not None and thread.retry_state is not None

        await eventually(waits)
        async with client.stream("GET", "/chat/t/stream", headers={"x-ai-sdk": "6"}) as response:
            chunks = await whole(response)
        assert (chunks[-1]["type"], fold(chunks)) == ("finish", (await reply(api)).parts)


async def test_a_reader_sees_an_attempt_that_says_no_more_but_goes_on_elsewhere(path: Path) -> None:
    go, quick = asyncio.Event(), Settings(heartbeat=0.1)

    def words() -> Any:
        yield "One "
        yield from held(go)
        yield "two."

    turns = [words()]
    async with serving(path, turns, settings=quick) as (here, api), serving(path, []) as (elsewhere, _):
        await api.create_thread("Hi", thread_id="t")
        await eventually(lambda: wrote(api, "One"))
        told: list[str] = []
        for client in (here, elsewhere):
            async with client.stream("GET", "/chat/t/stream", headers={"x-ai-sdk": "6"}) as response:
                async for event in events(response):
                    if event.data["type"] == "text-delta":
                        told.append(event.data["delta"])
                        break
        assert told == ["One ", "One "]
        go.set()
        await finished(api, "t")


async def test_a_stream_ends_when_its_turn_is_edited_away(path: Path) -> None:
    async with serving(path, [["Half", LONG], ["Other."]], when_busy="interrupt") as (client, _api):
        read = asyncio.Event()
        sending = asyncio.create_task(post_live(client, read, said("Hi")))
        await asyncio.wait_for(read.wait(), 20)
        messages = await sent(client, [said("Other")], messageId="m1")
        first = await asyncio.wait_for(sending, 10)
        assert first[-1]["type"] in ("abort", "error")
        assert "Other." not in str(first)
        await agrees(client, messages)


async def test_a_tab_that_leaves_and_resumes_shows_what_is_kept(path: Path) -> None:
    go = asyncio.Event()

    def words() -> Any:
        yield "One "
        yield from held(go)
        yield "two."

    async with serving(path, [[ToolUse("look")], words()], tools=[look]) as (client, api):
        body = {"id": "t", "messages": [said("Go")]}
        async with client.stream("POST", "/chat", json=body) as response:
            async for event in events(response):
                if event.data["type"] == "text-delta":
                    break
        for _ in range(2):  # resumes and leaves again
            async with client.stream("GET", "/chat/t/stream") as response:
                async for event in events(response):
                    if event.data["type"] == "text-delta":
                        break
        async with client.stream("GET", "/chat/t/stream") as response:
            go.set()
            assert fold(await whole(response)) == (await reply(api)).parts


async def test_a_new_chat_has_nothing_to_resume(path: Path) -> None:
    async with serving(path, []) as (client, api):
        assert (await client.get("/chat/new/stream")).status_code == 204
        await api.create_thread(thread_id="t")
        assert (await client.get("/chat/t/stream")).status_code == 204
        await api.delete_thread("t", undo_for=60)
        assert (await client.get("/chat/t/stream")).status_code == 204
        assert (await client.get("/chat/t")).status_code == 404


async def test_a_turn_is_found_behind_many_messages_and_before_many_that_wait(path: Path) -> None:
    go = asyncio.Event()

    def words() -> Any:
        yield "One "
        yield from held(go)
        yield "two."

    turns = [[ToolUse("look", id="l")], words(), ["Late", LONG]]
    async with serving(path, turns, tools=[look]) as (client, api):
        old = [{"role": role, "content": "old"} for role in ("user", "assistant") * 20]
        await api.create_thread(messages=old, thread_id="t", auto_start=False)
        sending = asyncio.create_task(post(client, said("Hi")))
        await eventually(lambda: wrote(api, "One"))
        for n in range(40):
            await api.send_message("t", f"Later {n}", when_busy="queue")
        async with client.stream("GET", "/chat/t/stream") as response:
            reading = events(response)
            chunks = [(await anext(reading)).data]
            go.set()
            chunks += [event.data async for event in reading][:-1]
        for read in (chunks, await sending):
            assert [part["type"] for part in fold(read)] == ["step-start", "tool-look", "step-start", "text"]
            assert fold(read)[-1]["text"] == "One two."
        await client.post("/threads/t/stop")
