"""Turns: started by a message, and resumed after a failure or a stop."""

from __future__ import annotations

import asyncio
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from agent_core import errors
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import Follower, agent_on, finished, held, live, texts, tool_parts

LONG = 30.0  # seconds that a scripted model takes unless it is stopped


# send


async def test_one_message_id_is_one_message_and_one_run(path: Path) -> None:
    async with agent_on(path, [["One."], ["Two."]]) as api:
        thread = await api.create_thread()
        first = await api.send_message(thread.id, "Hi", message_id="m1")
        again = await api.send_message(thread.id, "Hi", message_id="m1")
        assert first == again
        await finished(api, thread)
        assert await api.send_message(thread.id, "Hi", message_id="m1") == first
        assert await texts(api, thread) == ["Hi", "One."]
        assert len(api.agent.model.requests) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("after", [None, "m1"])
async def test_the_id_of_an_answer_is_refused_and_sends_nothing(path: Path, after: str | None) -> None:
    async with agent_on(path, [["One."], ["Two."]]) as api:
        thread = await api.create_thread()
        await api.send_message(thread.id, "Hi", message_id="m1")
        await finished(api, thread)
        answer = (await api.list_messages(thread.id))[-1].id
        with pytest.raises(errors.DuplicateMessageError, match="already has a message"):
            await api.send_message(thread.id, "Again", message_id=answer, after=after)
        assert await texts(api, thread) == ["Hi", "One."]


async def test_the_id_of_an_answer_that_has_no_words_yet_is_refused(path: Path) -> None:
    async with agent_on(path, [[LONG, "One."]]) as api:
        thread = await api.create_thread("Hi")

        async def replies() -> set[str]:
            return {u.message_id for u in await api.stream_updates(thread.id) if u.message_id}

        await eventually(replies)
        (reply,) = await replies()
        with pytest.raises(errors.DuplicateMessageError, match="already has a message"):
            await api.send_message(thread.id, "Again", message_id=reply, when_busy="queue")
        assert await texts(api, thread) == ["Hi"]


async def test_message_sent_many_times_at_once_is_one_message(path: Path) -> None:
    async with agent_on(path, [["One."]]) as api, agent_on(path, [["One."]]) as other:
        thread = await api.create_thread()
        sending = [who.send_message(thread.id, "Hi", message_id="m1") for who in [api, other] * 8]
        sent = await asyncio.gather(*sending)
        assert {message.id for message in sent} == {"m1"}
        await finished(api, thread)
        assert await texts(api, thread) == ["Hi", "One."]
        asked = [len(who.agent.model.requests) for who in (api, other)]  # type: ignore[union-attr]
        assert sum(asked) == 1


async def test_busy_thread_rejects_a_message(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api:
        thread = await api.create_thread("Hi")
        with pytest.raises(errors.ThreadBusyError):
            await api.send_message(thread.id, "More")
        with pytest.raises(errors.ThreadBusyError):
            await api.add_message(thread.id, {"role": "user", "content": "More"})
        with pytest.raises(errors.ThreadBusyError):
            await api.resume_thread(thread.id)
        assert await texts(api, thread) == ["Hi"]


async def test_busy_thread_queues_messages_and_answers_in_order(path: Path) -> None:
    queued_all = asyncio.Event()

    async def answer(messages: list[dict[str, Any]]) -> list[str]:
        await queued_all.wait()
        return ["re:", messages[-1]["content"]]

    async with agent_on(path, answer) as api:
        thread = await api.create_thread("a")
        async with Follower(api, thread.id) as follower:
            for word in "bcd":
                sent = await api.send_message(thread.id, word, when_busy="queue", message_id=word)
                assert await api.send_message(thread.id, word, when_busy="queue", message_id=word) == sent
            queued = await api.list_messages(thread.id)
            assert [m.text for m in queued if m.metadata.get("queued")] == ["b", "c", "d"]
            queued_all.set()
            await finished(api, thread)
            assert await texts(api, thread) == ["a", "re:a", "b", "re:b", "c", "re:c", "d", "re:d"]
            assert not any(m.metadata for m in await api.list_messages(thread.id))
            await follower.agrees()


@pytest.mark.parametrize("end", ["stop", "fail"])
async def test_queued_messages_outlive_a_stop_and_a_failure(path: Path, end: str) -> None:
    queued = asyncio.Event()

    @action_tool
    async def wait() -> None:
        """Wait until the message is queued."""
        await queued.wait()

    first = [["x", LONG]] if end == "stop" else [["x", ToolUse("wait")], [errors.ModelError("No.")]]
    async with agent_on(path, [*first, ["y"], ["z"]], tools=[wait]) as api:
        thread = await api.create_thread("a")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "x")
            await api.send_message(thread.id, "b", when_busy="queue")
            queued.set()
            if end == "stop":
                await api.stop_thread(thread.id)
            assert (await finished(api, thread)).status == ("stopped" if end == "stop" else "failed")
            await follower.agrees()
            # Work of the turn that has waited for this process is "ok".
            spans = [span for span in await api.timeline(thread.id) if span.kind == "queued"]
            (held,) = [span for span in spans if span.status != "ok"]
            assert (held.status, held.ended_at is not None) == ("stopped", True), (
                "it does not wait for a worker"
            )
            await api.send_message(thread.id, "c")
            assert (await finished(api, thread)).status == "completed"
            said = [text for text in await texts(api, thread) if text != "x"]
            assert [text for text in said if text in "abc"] == ["a", "b", "c"]
            await follower.agrees()


async def test_busy_thread_is_interrupted_by_a_message(path: Path) -> None:
    async with agent_on(path, [["part", LONG], ["whole"]]) as api:
        thread = await api.create_thread("a")
        async with Follower(api, thread.id) as follower:
            await live(api, thread.id, "part")
            await api.send_message(thread.id, "b", when_busy="interrupt")
            await finished(api, thread)
            assert await texts(api, thread) == ["a", "part", "b", "whole"]
            await follower.agrees()


@pytest.mark.parametrize("when_busy", ["", "later", None])
async def test_an_unknown_way_to_be_busy_is_refused(path: Path, when_busy: Any) -> None:
    async with agent_on(path, []) as api:
        thread = await api.create_thread()
        with pytest.raises(errors.ValidationError):
            await api.send_message(thread.id, "x", when_busy=when_busy)


# add


async def test_add_stores_and_does_not_run(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        thread = await api.create_thread()
        async with Follower(api, thread.id) as follower:
            await api.add_message(
                thread.id, {"id": "m", "role": "user", "content": "Hi", "metadata": {"k": 1}}
            )
            with pytest.raises(errors.DuplicateMessageError):
                await api.add_message(thread.id, {"id": "m", "role": "user", "content": "Hi"})
            with pytest.raises(errors.ValidationError):
                await api.add_message(thread.id, {"role": "user", "content": " "})
            (message,) = await api.list_messages(thread.id)
            assert (message.id, message.metadata) == ("m", {"k": 1})
            assert (await api.get_thread(thread.id)).status == "completed"  # type: ignore[union-attr]
            await follower.agrees()


# resume


async def test_resume_after_a_failure_runs_the_step_again(path: Path) -> None:
    fails = ["half", errors.ModelError("The key is wrong.", kind="auth")]
    go = asyncio.Event()
    async with agent_on(path, [fails, chain(held(go), ["whole"])]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            failed = await finished(api, thread)
            assert (failed.status, failed.error, failed.error_kind) == ("failed", "The key is wrong.", "auth")
            assert await texts(api, thread) == ["Hi", "half"]
            await follower.agrees()
            await api.resume_thread(thread.id)
            await follower.until(lambda view: view.thread["status"] == "streaming")
            assert follower.text == "half"  # shown until the first new token
            go.set()
            await finished(api, thread)
            assert await texts(api, thread) == ["Hi", "whole"]
            await follower.agrees()
        assert len(api.agent.model.requests[1]) == 1  # type: ignore[union-attr]


async def test_resume_with_a_prompt_keeps_the_partial_text(path: Path) -> None:
    async with agent_on(path, [["half", LONG], ["rest"]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await live(api, thread.id, "half")
            await api.stop_thread(thread.id)
            await api.resume_thread(thread.id, "Go on")
            await finished(api, thread)
            assert await texts(api, thread) == ["Hi", "half", "Go on", "rest"]
            await follower.agrees()
        sent = [message["content"] for message in api.agent.model.requests[-1]]  # type: ignore[union-attr]
        assert sent == ["Hi", "half", "Go on"]


async def test_a_finished_thread_is_not_resumed(path: Path) -> None:
    async with agent_on(path, [["Done."]]) as api:
        thread = await api.create_thread("Hi")
        await finished(api, thread)
        assert (await api.resume_thread(thread.id)).status == "completed"
        assert (await api.resume_thread((await api.create_thread()).id)).status == "completed"
        with pytest.raises(errors.ValidationError):
            await api.resume_thread(thread.id, " ")
        assert len(api.agent.model.requests) == 1  # type: ignore[union-attr]


async def test_resume_after_a_stop_during_a_tool_call_finishes_the_reply(path: Path) -> None:
    @action_tool
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(LONG)
        return "never"

    async with agent_on(path, [["Look: ", ToolUse("wait")], ["Well."]], tools=[wait]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.thread["status"] == "awaiting_tool_results")
            assert (await api.stop_thread(thread.id)).status == "stopped"
            (part,) = await tool_parts(api, thread)
            assert (part["state"], part["errorText"]) == ("output-error", "stopped")
            await follower.agrees()
            await api.resume_thread(thread.id)
            await finished(api, thread)
            assert await texts(api, thread) == ["Hi", "Look: \n\nWell."]
            await follower.agrees()


async def test_an_id_is_one_message_in_all_threads(path: Path) -> None:
    async with agent_on(path, lambda _: ["Well."]) as api:
        one = await api.create_thread("Hi", message_id="m1")
        await finished(api, one)
        other = await api.create_thread()
        for refused in (
            lambda: api.send_message(other.id, "Hi", message_id="m1"),
            lambda: api.send_message(other.id, "Hi", message_id="m1", when_busy="queue"),
            lambda: api.send_message(other.id, "Hi", message_id="m1", after=""),
            lambda: api.add_message(other.id, {"role": "user", "content": "Hi", "id": "m1"}),
            lambda: api.create_thread("Hi", message_id="m1", thread_id="another"),
        ):
            with pytest.raises(errors.DuplicateMessageError, match="another thread"):
                await refused()
        assert await texts(api, other) == []
        assert await api.get_thread("another") is None
        fork = await api.fork_thread(one.id, "m1")
        await api.send_message(fork.id, "Hi", message_id="m1")  # the fork has a copy of this message
        copied = [message.to_dict() for message in await api.list_messages(one.id)]
        copy = await api.create_thread(messages=copied, auto_start=False)  # as does a client's history
        assert await texts(api, copy) == await texts(api, one) == ["Hi", "Well."]
        await api.delete_thread(one.id)


async def test_an_id_sent_to_two_threads_at_once_is_one_message(path: Path) -> None:
    async with agent_on(path, lambda _: ["Well."]) as api, agent_on(path, lambda _: ["Well."]) as elsewhere:
        threads = [await api.create_thread() for _ in range(6)]
        sends = [
            (api, elsewhere)[n % 2].send_message(thread.id, "Hi", message_id="m")
            for n, thread in enumerate(threads)
        ]
        ends = await asyncio.gather(*sends, return_exceptions=True)
        assert sum(isinstance(end, errors.DuplicateMessageError) for end in ends) == 5, ends
        for thread in threads:
            await finished(api, thread)
        assert sum([len(await texts(api, thread)) for thread in threads]) == 2
