"""The contract of turns: sending and adding messages, stopping and resuming."""

from __future__ import annotations

import asyncio

import pytest

from agent_core import action_tool, errors
from agent_core.testing import ToolUse, eventually
from tests.agent_core.contract.support import Contract, shown_text

# send_message


async def test_the_same_message_id_twice_is_one_run(contract: Contract) -> None:
    async with contract.api([["Once."], ["Never."]]) as api:
        thread = await api.create_thread()
        first, again = await asyncio.gather(
            api.send_message(thread.id, "Hi", message_id="m-1"),
            api.send_message(thread.id, "Hi", message_id="m-1"),
        )
        assert first.id == again.id == "m-1"
        await api.wait_until_idle(thread.id, 20)
        await api.send_message(thread.id, "Hi", message_id="m-1")
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Hi", "Once."]
        assert len(contract.model.requests) == 1


async def test_a_running_thread_rejects_queues_or_is_interrupted(contract: Contract) -> None:
    async with contract.api([["One", 30.0], ["Two."], ["Three."]]) as api:
        thread = await api.create_thread("1")
        await contract.says(api, thread.id, "One")
        with pytest.raises(errors.ThreadBusyError):
            await api.send_message(thread.id, "2")
        await api.send_message(thread.id, "3", when_busy="queue")
        await api.send_message(thread.id, "2", when_busy="interrupt")
        await api.wait_until_idle(thread.id, 20)
        said = [shown_text(m) for m in await api.list_messages(thread.id)]
        assert said[:2] == ["1", "One"]
        assert sorted(said[2:]) in (["2", "3", "Two."], ["2", "3", "Three.", "Two."])


async def test_queued_messages_are_answered_in_order(contract: Contract) -> None:
    async with contract.api([["A", 0.3], ["B"], ["C"]]) as api:
        thread = await api.create_thread("a")
        await api.send_message(thread.id, "b", when_busy="queue")
        await api.send_message(thread.id, "c", when_busy="queue")

        async def all_said() -> bool:
            return len(await api.list_messages(thread.id)) == 6

        await eventually(all_said)
        await api.wait_until_idle(thread.id, 20)
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["a", "A", "b", "B", "c", "C"]


# add_message


async def test_add_message_stores_and_does_not_run(contract: Contract) -> None:
    async with contract.api([["Running", 30.0]]) as api:
        thread = await api.create_thread()
        message = {"id": "m", "role": "user", "content": "For later."}
        assert (await api.add_message(thread.id, message)).id == "m"
        with pytest.raises(errors.DuplicateMessageError):
            await api.add_message(thread.id, message)
        assert contract.model.requests == []
        await api.send_message(thread.id, "Now")
        with pytest.raises(errors.ThreadBusyError):
            await api.add_message(thread.id, {"role": "user", "content": "Too late."})
        await api.stop_thread(thread.id)


# resume_thread and stop_thread


async def test_stop_keeps_the_text_and_resume_replaces_it(contract: Contract) -> None:
    async with contract.api([["Half a", 30.0], ["A whole answer."]]) as api:
        thread = await api.create_thread("Go")
        await contract.says(api, thread.id, "Half a")
        stopped = await api.stop_thread(thread.id)
        assert stopped is None or stopped.status == "stopped"
        assert (await api.get_thread(thread.id)).status == "stopped"  # type: ignore[union-attr]
        assert shown_text((await api.list_messages(thread.id))[-1]) == "Half a"
        await api.resume_thread(thread.id)
        assert (await api.wait_until_idle(thread.id, 20)).status == "completed"
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Go", "A whole answer."]


async def test_resume_with_a_prompt_keeps_the_partial_text(contract: Contract) -> None:
    async with contract.api([["Half a", 30.0], ["Yes."]]) as api:
        thread = await api.create_thread("Go")
        await contract.says(api, thread.id, "Half a")
        await api.stop_thread(thread.id)
        await api.resume_thread(thread.id, "Really?")
        await api.wait_until_idle(thread.id, 20)
        said = [shown_text(m) for m in await api.list_messages(thread.id)]
        assert said == ["Go", "Half a", "Really?", "Yes."]


async def test_a_failed_thread_says_why_and_can_be_resumed(contract: Contract) -> None:
    refused = errors.ModelError("The key is wrong.", kind="auth", retryable=False)
    async with contract.api([["Well", refused], ["Fine."]]) as api:
        thread = await api.create_thread("Go")
        failed = await api.wait_until_idle(thread.id, 20)
        assert (failed.status, failed.error) == ("failed", "The key is wrong.")
        assert len(contract.model.requests) == 1
        await api.resume_thread(thread.id)
        assert (await api.wait_until_idle(thread.id, 20)).error is None
        assert shown_text((await api.list_messages(thread.id))[-1]) == "Fine."


async def test_resume_of_a_finished_thread_asks_nobody(contract: Contract) -> None:
    async with contract.api([["Done."], [30.0]]) as api:
        thread = await api.create_thread("Go")
        await api.wait_until_idle(thread.id, 20)
        await api.resume_thread(thread.id)
        assert (await api.get_thread(thread.id)).status == "completed"  # type: ignore[union-attr]
        assert len(contract.model.requests) == 1
        await api.send_message(thread.id, "More")
        with pytest.raises(errors.ThreadBusyError):
            await api.resume_thread(thread.id)
        await api.stop_thread(thread.id)


async def test_stop_closes_open_tool_calls(contract: Contract) -> None:
    @action_tool
    async def wait_long() -> str:
        """Wait."""
        await asyncio.sleep(60)
        return "never"

    async with contract.api([[ToolUse("wait_long", {})], ["Well."]], tools=[wait_long]) as api:
        thread = await api.create_thread("Go")
        await contract.status(api, thread.id, "awaiting_tool_results")
        await api.stop_thread(thread.id)
        (part,) = [p for p in (await api.list_messages(thread.id))[-1].parts if p["type"].startswith("tool-")]
        assert (part["state"], part["errorText"]) == ("output-error", "stopped")
        await api.stop_thread(thread.id)  # no effect on an idle thread
        assert (await api.get_thread(thread.id)).status == "stopped"  # type: ignore[union-attr]
