"""The contract of queued messages: withdrawing them and sending them now."""

from __future__ import annotations

import asyncio

import pytest

from agent_core import AgentApi, errors
from agent_core.streaming.fold import ThreadView
from agent_core.testing import eventually
from tests.agent_core.contract.support import Contract, shown_text


async def waiting(api: AgentApi, contract: Contract) -> str:
    """Start a thread with a long answer, queue "b" and "c" behind it, and return the thread's id."""
    thread = await api.create_thread("a")
    await contract.says(api, thread.id, "A")
    for name in ("b", "c"):
        await api.send_message(thread.id, name, message_id=f"m-{name}", when_busy="queue")
    return thread.id


async def said(api: AgentApi, thread_id: str) -> list[str]:
    return [shown_text(message) for message in await api.list_messages(thread_id)]


async def seen(api: AgentApi, thread_id: str, count: int) -> ThreadView:
    """Follow the thread until it has `count` messages, and return its view."""
    view = ThreadView()
    async with asyncio.timeout(20):
        async for update in api.subscribe(thread_id):
            view.apply(update)
            if len(view.messages) == count:
                break
    return view


async def test_a_message_that_is_taken_back_was_never_sent(contract: Contract) -> None:
    async with contract.api([["A", 30.0], ["C."], ["B."]]) as api:
        thread_id = await waiting(api, contract)
        follower = asyncio.create_task(seen(api, thread_id, 3))
        assert len((await seen(api, thread_id, 4)).messages) == 4

        taken = await api.withdraw_message(thread_id, "m-b")

        assert (taken.id, shown_text(taken), taken.metadata) == ("m-b", "b", {})
        view = await follower
        assert [message["id"] for message in view.messages][-1] == "m-c", "a follower is told"
        await api.stop_thread(thread_id)
        await api.send_message(thread_id, "b", message_id="m-b")  # the id is free again
        await api.wait_until_idle(thread_id, 20)
        assert await said(api, thread_id) == ["a", "A", "c", "b", "C."]
        assert contract.model.requests[-1][-1]["content"] == "b"


async def test_messages_that_do_not_wait_cannot_be_taken_back_or_sent_now(contract: Contract) -> None:
    async with contract.api([["A", 30.0], ["B."]]) as api:
        thread_id = await waiting(api, contract)
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


async def test_queued_message_sent_now_interrupts_and_the_others_go_on_waiting(contract: Contract) -> None:
    async with contract.api([["A", 30.0], ["C."], ["B."]]) as api:
        thread_id = await waiting(api, contract)

        assert (await api.send_now(thread_id, "m-c")).id == "m-c"

        async def all_said() -> bool:
            return len(await said(api, thread_id)) == 6

        await eventually(all_said)
        await api.wait_until_idle(thread_id, 20)
        assert await said(api, thread_id) == ["a", "A", "c", "C.", "b", "B."]
        assert [m["content"] for m in contract.model.requests[1] if m["role"] == "user"] == ["a", "c"]


async def test_concurrent_withdrawals_and_send_now_have_one_winner(contract: Contract) -> None:
    async with contract.api([["A", 30.0], ["B."]]) as api:
        thread_id = await waiting(api, contract)
        await api.withdraw_message(thread_id, "m-c")
        results = await asyncio.gather(
            api.withdraw_message(thread_id, "m-b"),
            api.send_now(thread_id, "m-b"),
            api.withdraw_message(thread_id, "m-b"),
            return_exceptions=True,
        )
        assert sum(isinstance(result, errors.ValidationError) for result in results) == 2, results
        await api.stop_thread(thread_id)
