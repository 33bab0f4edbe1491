"""The contract of the API as an outsider reads it: one test for each row of its table.

These tests import only what is public, so they hold for every way to build the library.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agent_core import Agent, AgentApi, CallContext, Runtime, action_tool, define_agent_api, errors
from agent_core.testing import ScriptedModel, ToolUse, eventually
from tests.agent_core.contract.support import Contract, chunk_types, shown_text


@action_tool
async def get_weather(location: str) -> dict[str, str]:
    """Get the weather."""
    return {"location": location, "sky": "clear"}


# create_thread


async def test_a_new_thread_is_idle(contract: Contract) -> None:
    async with contract.api([]) as api:
        thread = await api.create_thread(title="Plans", metadata={"colour": "blue"})
        assert (thread.status, thread.title, thread.metadata) == ("completed", "Plans", {"colour": "blue"})
        assert (thread.stop_signal, thread.retry_state, thread.error) == (False, None, None)
        assert await api.get_thread(thread.id) == thread


async def test_a_prompt_sets_it_running(contract: Contract) -> None:
    async with contract.api([["Hello."]]) as api:
        thread = await api.create_thread("Hi")
        assert (await api.wait_until_idle(thread.id, 10)).status == "completed"
        messages = await api.list_messages(thread.id)
        assert [(m.role, shown_text(m)) for m in messages] == [("user", "Hi"), ("assistant", "Hello.")]


@pytest.mark.parametrize("blank", ["", "   ", "\n\t", []])
async def test_a_blank_prompt_creates_nothing(contract: Contract, blank: Any) -> None:
    async with contract.api([]) as api:
        with pytest.raises(errors.ValidationError):
            await api.create_thread(blank)
        assert await api.list_threads() == []


async def test_earlier_messages_wait_for_auto_start(contract: Contract) -> None:
    history = [{"role": "user", "content": "One?"}]
    async with contract.api([["Two."], ["Three."]]) as api:
        idle = await api.create_thread(messages=history)
        started = await api.create_thread(messages=history, auto_start=True)
        assert (await api.wait_until_idle(started.id, 10)).status == "completed"
        assert len(await api.list_messages(started.id)) == 2
        assert (await api.get_thread(idle.id)).status == "completed"  # type: ignore[union-attr]
        assert len(await api.list_messages(idle.id)) == 1


# send_message


async def test_the_same_message_id_twice_is_one_run(contract: Contract) -> None:
    async with contract.api([["Once."], ["Never."]]) as api:
        thread = await api.create_thread()
        first, again = await asyncio.gather(
            api.send_message(thread.id, "Hi", message_id="m-1"),
            api.send_message(thread.id, "Hi", message_id="m-1"),
        )
        assert first.id == again.id == "m-1"
        await api.wait_until_idle(thread.id, 10)
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
        await api.wait_until_idle(thread.id, 10)
        said = [shown_text(m) for m in await api.list_messages(thread.id)]
        assert said[:2] == ["1", "One"]
        assert sorted(said[2:]) in (["2", "3", "Two."], ["2", "3", "Three.", "Two."])


async def test_what_is_queued_is_answered_in_order(contract: Contract) -> None:
    async with contract.api([["A", 0.3], ["B"], ["C"]]) as api:
        thread = await api.create_thread("a")
        await api.send_message(thread.id, "b", when_busy="queue")
        await api.send_message(thread.id, "c", when_busy="queue")

        async def all_said() -> bool:
            return len(await api.list_messages(thread.id)) == 6

        await eventually(all_said, 10)
        await api.wait_until_idle(thread.id, 10)
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
        assert (await api.wait_until_idle(thread.id, 10)).status == "completed"
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Go", "A whole answer."]


async def test_resume_with_a_prompt_keeps_the_partial_text(contract: Contract) -> None:
    async with contract.api([["Half a", 30.0], ["Yes."]]) as api:
        thread = await api.create_thread("Go")
        await contract.says(api, thread.id, "Half a")
        await api.stop_thread(thread.id)
        await api.resume_thread(thread.id, "Really?")
        await api.wait_until_idle(thread.id, 10)
        said = [shown_text(m) for m in await api.list_messages(thread.id)]
        assert said == ["Go", "Half a", "Really?", "Yes."]


async def test_a_failed_thread_says_why_and_can_be_resumed(contract: Contract) -> None:
    refused = errors.ModelError("The key is wrong.", kind="auth", retryable=False)
    async with contract.api([["Well", refused], ["Fine."]]) as api:
        thread = await api.create_thread("Go")
        failed = await api.wait_until_idle(thread.id, 10)
        assert (failed.status, failed.error) == ("failed", "The key is wrong.")
        assert len(contract.model.requests) == 1
        await api.resume_thread(thread.id)
        assert (await api.wait_until_idle(thread.id, 10)).error is None
        assert shown_text((await api.list_messages(thread.id))[-1]) == "Fine."


async def test_resume_of_a_finished_thread_asks_nobody(contract: Contract) -> None:
    async with contract.api([["Done."], [30.0]]) as api:
        thread = await api.create_thread("Go")
        await api.wait_until_idle(thread.id, 10)
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
        await api.stop_thread(thread.id)  # an idle thread: no effect
        assert (await api.get_thread(thread.id)).status == "stopped"  # type: ignore[union-attr]


# threads


async def test_threads_are_listed_changed_and_deleted(contract: Contract) -> None:
    async with contract.api([["Hello", 30.0]]) as api:
        one = await api.create_thread(title="Apples")
        two = await api.create_thread(title="Pears")
        assert [t.id for t in await api.list_threads()] == [two.id, one.id]
        assert [t.id for t in await api.list_threads(1, cursor=two.id)] == [one.id]
        assert [t.id for t in await api.list_threads(query="appl")] == [one.id]
        changed = await api.update_thread(
            one.id, title="Plums", pinned=True, archived=True, metadata={"a": 1}
        )
        assert (changed.title, changed.pinned, changed.archived, changed.metadata) == (
            "Plums",
            True,
            True,
            {"a": 1},
        )
        assert [t.id for t in await api.list_threads(archived=True)] == [one.id]
        await api.send_message(two.id, "Hi")
        await api.delete_thread(two.id)
        assert await api.get_thread(two.id) is None
        with pytest.raises(errors.ThreadNotFoundError):
            await api.list_messages(two.id)


async def test_everything_unknown_is_not_found(contract: Contract) -> None:
    async with contract.api([]) as api:
        for call in (
            api.send_message("nope", "Hi"),
            api.add_message("nope", {"role": "user", "content": "Hi"}),
            api.resume_thread("nope"),
            api.stop_thread("nope"),
            api.update_thread("nope", title="x"),
            api.delete_thread("nope"),
            api.list_messages("nope"),
            api.stream_updates("nope"),
            api.wait_until_idle("nope", 1),
            api.edit_message("nope", "m", "x"),
            api.regenerate("nope", "m"),
            api.fork_thread("nope", "m"),
            api.timeline("nope"),
            api.list_messages_with_streams("nope"),
        ):
            with pytest.raises(errors.ThreadNotFoundError):
                await call
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result("nope", 1)
        assert await api.get_thread("nope") is None


# reading


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
    turn = [item for word in words for item in (word, 0.005)]
    async with contract.api([turn]) as api:
        thread = await api.create_thread("Go")
        text, cursor, seen = "", None, []
        async for update in api.subscribe(thread.id):
            seen.append(update.type)
            for chunk in update.chunks:
                text += chunk["delta"] if chunk["type"] == "text-delta" else ""
            cursor = update.cursor
            if len(text) > 40:
                break
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
        done = await api.wait_until_idle(thread.id, 10)
        everything = await api.stream_updates(thread.id)
        assert [u.seq for u in everything] == sorted(u.seq for u in everything)
        assert {"tool-input-available", "tool-output-available"} <= {
            t for u in everything for t in chunk_types(u)
        }
        newest = await api.stream_updates(thread.id, from_seq=done.seq)
        assert [u.seq for u in newest] == [done.seq]


async def test_list_messages_with_streams_in_both_forms(contract: Contract) -> None:
    async with contract.api([["Hello."]]) as api:
        thread = await api.create_thread("Hi")
        await api.wait_until_idle(thread.id, 10)
        plain = await api.list_messages_with_streams(thread.id)
        listed = await api.list_messages_with_streams(thread.id, {"kind": "list"})
        deltas = await api.list_messages_with_streams(thread.id, {"kind": "deltas", "cursors": []})
        for answer in (plain, listed, deltas):
            assert len(answer["messages"]) == 2
        assert listed["streams"]["kind"] == "list"
        assert deltas["streams"]["kind"] == "deltas"


# branches


async def test_edit_regenerate_and_the_way_back(contract: Contract) -> None:
    async with contract.api([["First."], ["Second."], ["Third."]]) as api:
        thread = await api.create_thread("One?")
        await api.wait_until_idle(thread.id, 10)
        question, answer = await api.list_messages(thread.id)
        edited = await api.edit_message(thread.id, question.id, "Two?")
        await api.wait_until_idle(thread.id, 10)
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Two?", "Second."]
        assert contract.model.requests[-1][-1]["content"] == "Two?"
        await api.regenerate(thread.id, (await api.list_messages(thread.id))[-1].id)
        await api.wait_until_idle(thread.id, 10)
        assert [shown_text(m) for m in await api.list_messages(thread.id)] == ["Two?", "Third."]
        await api.select_branch(thread.id, answer.id)
        assert [m.id for m in await api.list_messages(thread.id)] == [question.id, answer.id]
        assert edited.id != question.id


async def test_a_fork_is_a_thread_of_its_own(contract: Contract) -> None:
    async with contract.api([["First."], ["Second."], ["Other."]]) as api:
        thread = await api.create_thread("One?")
        await api.wait_until_idle(thread.id, 10)
        await api.send_message(thread.id, "Two?")
        await api.wait_until_idle(thread.id, 10)
        answer = (await api.list_messages(thread.id))[1]
        fork = await api.fork_thread(thread.id, answer.id)
        assert fork.id != thread.id
        assert fork.status == "completed"
        await api.send_message(fork.id, "Else?")
        await api.wait_until_idle(fork.id, 10)
        assert [shown_text(m) for m in await api.list_messages(fork.id)] == [
            "One?",
            "First.",
            "Else?",
            "Other.",
        ]
        assert len(await api.list_messages(thread.id)) == 4


async def test_a_timeline_tells_what_ran(contract: Contract) -> None:
    turns = [[ToolUse("get_weather", {"location": "Rome"})], ["Clear."]]
    async with contract.api(turns, tools=[get_weather]) as api:
        thread = await api.create_thread("Weather?")
        await api.wait_until_idle(thread.id, 10)
        spans = await api.timeline(thread.id)
        kinds = [span.kind for span in spans]
        assert kinds.count("model") == 2
        assert kinds.count("tool") == 1
        assert all(span.started_at is not None and span.ended_at is not None for span in spans)
        assert [s.started_at for s in spans] == sorted(s.started_at for s in spans)


# who may


async def test_the_callback_is_asked_before_anything_happens(contract: Contract) -> None:
    def only_anna(ctx: CallContext | None, thread_id: str) -> None:
        if ctx is None or ctx.user_id != "anna":
            raise errors.AccessDeniedError(f"{thread_id} is Anna's.")

    anna, bob = CallContext("anna"), CallContext("bob", {"role": "guest"})
    async with contract.api([["Hello."]], authorization_callback=only_anna) as api:
        thread = await api.create_thread("Hi", ctx=anna)
        await api.wait_until_idle(thread.id, 10, ctx=anna)
        assert thread.user_id == "anna"
        for caller in (bob, None):
            with pytest.raises(errors.AccessDeniedError):
                await api.send_message(thread.id, "Hi", ctx=caller)
            with pytest.raises(errors.AccessDeniedError):
                async for _ in api.subscribe(thread.id, ctx=caller):
                    pass
        assert await api.list_threads(ctx=bob) == []
        assert [t.id for t in await api.list_threads(ctx=anna)] == [thread.id]
        assert len(await api.list_messages(thread.id, ctx=anna)) == 2


@pytest.fixture
async def two_apis(contract: Contract) -> AsyncGenerator[tuple[AgentApi, AgentApi]]:
    """Two runtimes on one database: one sends, the other only watches."""
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
    async with asyncio.timeout(10):
        async for update in updates:
            text += "".join(c["delta"] for c in update.chunks if c["type"] == "text-delta")
            if "finish-step" in chunk_types(update):
                break
    await updates.aclose()
    assert text == "Hello you."
