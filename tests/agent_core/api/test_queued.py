"""Queued messages: withdrawing them and sending them now."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent_core import AgentApi, errors
from agent_core.streaming.fold import ThreadView
from agent_core.testing import ScriptedModel, eventually
from tests.support.agents import agent_on, finished, live, texts

LONG = 30.0  # seconds that a scripted model takes unless it is stopped


async def queued(api: AgentApi) -> str:
    """Start a thread with a long answer, queue "b" and "c" behind it, and return the thread's id."""
    thread = await api.create_thread("a")
    await live(api, thread.id, "A")
    for name in ("b", "c"):
        await api.send_message(thread.id, name, message_id=f"m-{name}", when_busy="queue")
    return thread.id


async def seen(api: AgentApi, thread_id: str, count: int) -> ThreadView:
    """Follow the thread until it has `count` messages, and return its view."""
    view = ThreadView()
    async with asyncio.timeout(20):
        async for update in api.subscribe(thread_id):
            view.apply(update)
            if len(view.messages) == count:
                break
    return view


async def test_a_message_that_is_taken_back_was_never_sent(path: Path) -> None:
    model = ScriptedModel([["A", LONG], ["C."], ["B."]])
    async with agent_on(path, model) as api:
        thread_id = await queued(api)
        follower = asyncio.create_task(seen(api, thread_id, 3))
        assert len((await seen(api, thread_id, 4)).messages) == 4

        taken = await api.withdraw_message(thread_id, "m-b")

        assert (taken.id, taken.text, taken.metadata) == ("m-b", "b", {})
        view = await follower
        assert [message["id"] for message in view.messages][-1] == "m-c", "a follower is told"
        await api.stop_thread(thread_id)
        await api.send_message(thread_id, "b", message_id="m-b")  # the id is free again
        await finished(api, thread_id)
        assert await texts(api, thread_id) == ["a", "A", "c", "b", "C."]
        assert model.requests[-1][-1]["content"] == "b"


async def test_messages_that_do_not_wait_cannot_be_taken_back_or_sent_now(path: Path) -> None:
    async with agent_on(path, [["A", LONG], ["B."]]) as api:
        thread_id = await queued(api)
        await api.withdraw_message(thread_id, "m-c")
        first = (await api.list_messages(thread_id))[0].id
        for gone in ("m-c", first, "m-nobody"):
            with pytest.raises(errors.ValidationError, match="does not wait"):
                await api.withdraw_message(thread_id, gone)
            with pytest.raises(errors.ValidationError, match="does not wait"):
                await api.send_now(thread_id, gone)
        thread = await api.get_thread(thread_id)
        assert thread is not None
        assert thread.status == "streaming", "and nothing was stopped"
        with pytest.raises(errors.ThreadNotFoundError):
            await api.withdraw_message("thread_gone", "m-b")
        await api.stop_thread(thread_id)


async def test_queued_message_sent_now_interrupts_and_the_others_go_on_waiting(path: Path) -> None:
    model = ScriptedModel([["A", LONG], ["C."], ["B."]])
    async with agent_on(path, model) as api:
        thread_id = await queued(api)

        assert (await api.send_now(thread_id, "m-c")).id == "m-c"

        async def all_said() -> bool:
            return len(await texts(api, thread_id)) == 6

        await eventually(all_said)
        await finished(api, thread_id)
        assert await texts(api, thread_id) == ["a", "A", "c", "C.", "b", "B."]
        assert [m["content"] for m in model.requests[1] if m["role"] == "user"] == ["a", "c"]


async def test_concurrent_withdrawals_and_send_now_have_one_winner(path: Path) -> None:
    async with agent_on(path, [["A", LONG], ["B."]]) as api:
        thread_id = await queued(api)
        await api.withdraw_message(thread_id, "m-c")
        results = await asyncio.gather(
            api.withdraw_message(thread_id, "m-b"),
            api.send_now(thread_id, "m-b"),
            api.withdraw_message(thread_id, "m-b"),
            return_exceptions=True,
        )
        assert sum(isinstance(result, errors.ValidationError) for result in results) == 2, results
        await api.stop_thread(thread_id)
