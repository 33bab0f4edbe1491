"""Turns: create, send, add, resume, stop, delete, list, wait."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, RetryPolicy, errors
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from agent_core.tools import action_tool
from tests.agent_core.support import Follower, agent_on, finished, rows, texts, tool_parts

LONG = 30.0  # seconds that a scripted model would take if nobody stopped it


def empty(path: Path) -> bool:
    return not any(rows(path).values())


async def live(api: AgentApi, thread_id: str, text: str) -> None:
    """Wait until the text of a running step has been written down."""

    async def said() -> bool:
        updates = await api.stream_updates(thread_id)
        return text in "".join(c.get("delta", "") for u in updates for c in u.chunks)

    await eventually(said)


# create


async def test_a_prompt_is_answered(path: Path) -> None:
    seen = asyncio.Event()  # that it runs: a quick answer would be there before anybody has looked

    async def turn(_: Any) -> list[Any]:
        await seen.wait()
        return ["Hel", "lo"]

    async with agent_on(path, turn, system="Be kind.") as api:
        thread = await api.create_thread("Hi")
        assert (thread.status, thread.title) == ("streaming", "Hi")
        seen.set()
        done = await finished(api, thread)
        assert (done.status, done.error, done.seq) == ("completed", None, 1)
        question, reply = await api.list_messages(thread.id)
        assert (question.role, question.text) == ("user", "Hi")
        assert (reply.role, reply.text, reply.committed_seq) == ("assistant", "Hello", 1)
        assert [part["type"] for part in reply.parts] == ["step-start", "text"]
        assert api.agent.model.requests == [  # type: ignore[union-attr]
            [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
        ]


@pytest.mark.parametrize(
    "prompt", ["", "  \n\t", [], [{"type": "text", "text": " "}], [{"type": "nonsense"}], 7]
)
async def test_a_prompt_that_says_nothing_creates_nothing(path: Path, prompt: Any) -> None:
    async with agent_on(path, []) as api:
        with pytest.raises(errors.ValidationError):
            await api.create_thread(prompt)
        assert empty(path)


async def test_bad_extras_create_nothing(path: Path) -> None:
    async with agent_on(path, []) as api:
        bad: list[dict[str, Any]] = [
            {"metadata": {"x": object()}},
            {"messages": [{"role": "robot", "content": "x"}]},
            {"messages": [{"id": "a", "role": "user", "content": "x"}] * 2},
            {"auto_start": True},
        ]
        for given in bad:
            with pytest.raises(errors.AgentCoreError):
                await api.create_thread(**given)
        assert empty(path)


async def test_without_a_prompt_a_thread_is_idle(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        thread = await api.create_thread(metadata={"a": [1]}, title="Mine")
        assert (thread.status, thread.title, thread.metadata) == ("completed", "Mine", {"a": [1]})
        earlier = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "One."}]
        other = await api.create_thread(messages=[*earlier, {"role": "user", "content": "Two?"}])
        assert other.status == "completed"
        assert (await api.resume_thread(other.id)).status in (
            "streaming",
            "completed",
        )  # it may be answered already
        await finished(api, other)
        assert await texts(api, other) == ["One?", "One.", "Two?", "Yes."]


async def test_created_twice_under_one_id_is_refused(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        await api.create_thread("Hi", thread_id="thread_mine")
        with pytest.raises(errors.ValidationError):
            await api.create_thread("Hi", thread_id="thread_mine")
        await finished(api, "thread_mine")
        assert await texts(api, "thread_mine") == ["Hi", "Yes."]


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


async def test_sent_many_times_at_once_it_is_one_message(path: Path) -> None:
    async with agent_on(path, [["One."]]) as api, agent_on(path, [["One."]]) as other:
        thread = await api.create_thread()
        sending = [who.send_message(thread.id, "Hi", message_id="m1") for who in [api, other] * 8]
        sent = await asyncio.gather(*sending)
        assert {message.id for message in sent} == {"m1"}
        await finished(api, thread)
        assert await texts(api, thread) == ["Hi", "One."]
        asked = [len(who.agent.model.requests) for who in (api, other)]  # type: ignore[union-attr]
        assert sum(asked) == 1


async def test_busy_rejects(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api:
        thread = await api.create_thread("Hi")
        with pytest.raises(errors.ThreadBusyError):
            await api.send_message(thread.id, "More")
        with pytest.raises(errors.ThreadBusyError):
            await api.add_message(thread.id, {"role": "user", "content": "More"})
        with pytest.raises(errors.ThreadBusyError):
            await api.resume_thread(thread.id)
        assert await texts(api, thread) == ["Hi"]


async def test_busy_queues_and_answers_in_order(path: Path) -> None:
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
async def test_what_is_queued_outlives_a_stop_and_a_failure(path: Path, end: str) -> None:
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
            await api.send_message(thread.id, "c")
            assert (await finished(api, thread)).status == "completed"
            said = [text for text in await texts(api, thread) if text != "x"]
            assert [text for text in said if text in "abc"] == ["a", "b", "c"]
            await follower.agrees()


async def test_busy_interrupts(path: Path) -> None:
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
    async with agent_on(path, [fails, [0.2, "whole"]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            failed = await finished(api, thread)
            assert (failed.status, failed.error, failed.error_kind) == ("failed", "The key is wrong.", "auth")
            assert await texts(api, thread) == ["Hi", "half"]
            await follower.agrees()
            await api.resume_thread(thread.id)
            await follower.until(lambda view: view.thread["status"] == "streaming")
            assert follower.text == "half"  # it stays until the first new token
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


async def test_resume_after_a_stop_among_tools(path: Path) -> None:
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


# stop


async def test_stop_keeps_what_was_said_and_ends_the_request(path: Path) -> None:
    model = ScriptedModel([["Once ", Reasoning("hm"), "upon", LONG]])
    async with agent_on(path, model) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "Once upon")
            began = time.monotonic()
            stopped = await api.stop_thread(thread.id)
            assert (stopped.status, stopped.stop_signal, stopped.retry_state) == ("stopped", True, None)
            await eventually(lambda: not api.runtime.workpool.running())
            assert time.monotonic() - began < 1
            assert await texts(api, thread) == ["Hi", "Once \n\nupon"]
            await follower.agrees()
    assert not rows(path)["agent_wake_up"]


async def test_stop_from_another_process_ends_the_request(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api, agent_on(path, [], runtime={"work": False}) as other:
        thread = await api.create_thread("Hi")
        await live(api, thread.id, "a")
        began = time.monotonic()
        await other.stop_thread(thread.id)
        await eventually(lambda: not api.runtime.workpool.running(), 3)
        assert time.monotonic() - began < 1
        assert await texts(api, thread) == ["Hi", "a"]


async def test_stop_before_the_first_token(path: Path) -> None:
    async with agent_on(path, [[LONG]]) as api, agent_on(path, [], runtime={"work": False}) as other:
        thread = await api.create_thread("Hi")
        await eventually(lambda: api.agent.model.requests)  # type: ignore[union-attr]
        await other.stop_thread(thread.id)
        await eventually(lambda: not api.runtime.workpool.running(), 1)
        assert await texts(api, thread) == ["Hi"]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_stop_while_a_tool_runs_ends_the_tool(path: Path, elsewhere: bool) -> None:
    happened: list[str] = []

    @action_tool
    async def wait() -> None:
        """Wait."""
        happened.append("began")
        try:
            await asyncio.sleep(LONG)
        finally:
            happened.append("ended")

    turns = [[ToolUse("wait")]]
    async with (
        agent_on(path, turns, tools=[wait]) as api,
        agent_on(path, [], runtime={"work": False}) as other,
    ):
        thread = await api.create_thread("Hi")
        await eventually(lambda: happened)
        await (other if elsewhere else api).stop_thread(thread.id)
        await eventually(lambda: happened == ["began", "ended"], 1)
        assert (await finished(api, thread)).status == "stopped"


async def test_stop_in_retry_wait(path: Path) -> None:
    slow = RetryPolicy(max_attempts=3, initial_delay=LONG)
    fails = ["half", errors.ModelError("Busy.", kind="rate_limited", retryable=True)]
    async with agent_on(path, [fails, ["whole"]], retry=slow) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda view: view.thread["retry_state"])
            waiting = await api.get_thread(thread.id)
            assert waiting is not None
            assert waiting.retry_state is not None
            assert (waiting.status, waiting.retry_state["attempt"]) == ("streaming", 2)
            stopped = await api.stop_thread(thread.id)
            assert (stopped.status, stopped.retry_state) == ("stopped", None)
            assert not rows(path)["agent_wake_up"]
            assert await texts(api, thread) == ["Hi", "half"]
            await follower.agrees()
            await api.resume_thread(thread.id)
            await finished(api, thread)
            assert await texts(api, thread) == ["Hi", "whole"]


async def test_stop_of_an_idle_thread_changes_nothing(path: Path) -> None:
    async with agent_on(path, [["a"]]) as api:
        thread = await finished(api, await api.create_thread("Hi"))
        before = rows(path)
        assert await api.stop_thread(thread.id) == thread
        assert rows(path) == before


async def test_stopped_at_once_and_sent_again_many_times(path: Path) -> None:
    """A task that is cancelled before it began must not hold its key for ever."""
    async with agent_on(path, lambda _: ["a", 0.001]) as api:
        thread = await api.create_thread()
        for number in range(20):
            sent = api.send_message(thread.id, f"{number}")
            stopped = api.stop_thread(thread.id)
            await asyncio.gather(sent, stopped)
        await api.send_message(thread.id, "last", when_busy="interrupt")
        assert (await finished(api, thread, 5)).status == "completed"


# delete, list, update, wait


async def test_delete_while_it_runs(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "a")
            await api.delete_thread(thread.id)
            await follower.until(lambda view: view.deleted)
        await eventually(lambda: not api.runtime.workpool.running(), 1)
        assert empty(path)
        assert await api.get_thread(thread.id) is None
        for method in (api.delete_thread, api.stop_thread, api.resume_thread, api.list_messages):
            with pytest.raises(errors.ThreadNotFoundError):
                await method(thread.id)


async def test_delete_while_a_tool_runs(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    leave = asyncio.Event()

    @action_tool
    async def stubborn() -> str:
        """Do not listen to a cancellation."""
        try:
            await leave.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
        return "done"

    async with agent_on(path, [[ToolUse("stubborn")]], tools=[stubborn]) as api:
        thread = await api.create_thread("Hi")
        await eventually(
            lambda: any(key.startswith("tool:") for key, _ in api.runtime.tool_workpool.running())
        )
        await api.delete_thread(thread.id)
        await eventually(lambda: not api.runtime.tool_workpool.running())
        assert empty(path)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_list_pages_newest_activity_first(path: Path) -> None:
    async with agent_on(path, lambda _: ["a"]) as api:
        made = [(await api.create_thread(title=f"T{number}")).id for number in range(5)]
        await api.send_message(made[1], "Hi")
        await finished(api, made[1])
        wanted = [made[1], made[4], made[3], made[2], made[0]]
        assert [thread.id for thread in await api.list_threads()] == wanted
        paged: list[str] = []
        while page := await api.list_threads(2, cursor=paged[-1] if paged else None):
            paged += [thread.id for thread in page]
        assert paged == wanted
        assert [thread.title for thread in await api.list_threads(query="t3")] == ["T3"]
        assert not await api.list_threads(query="%")
        async with Follower(api, made[0]) as follower:
            await api.update_thread(made[0], title="Old", pinned=True, metadata={"k": "v"})
            await follower.agrees()
        assert [thread.id for thread in await api.list_threads()] == wanted, "a new name is no activity"
        await api.update_thread(made[0], archived=True)
        (old,) = await api.list_threads(archived=True)
        assert (old.id, old.title, old.pinned, old.metadata) == (made[0], "Old", True, {"k": "v"})
        with pytest.raises(errors.ValidationError):
            await api.list_threads(0)


async def test_messages_are_paged(path: Path) -> None:
    async with agent_on(path, lambda m: ["re:" + m[-1]["content"]]) as api:
        thread = await api.create_thread()
        for word in "abc":
            await api.send_message(thread.id, word)
            await finished(api, thread)
        newest = await api.list_messages(thread.id, limit=2)
        assert [message.text for message in newest] == ["c", "re:c"]
        earlier = await api.list_messages(thread.id, limit=3, before=newest[0].id)
        assert [message.text for message in earlier] == ["re:a", "b", "re:b"]


async def test_wait_gives_up(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api:
        thread = await api.create_thread("Hi")
        with pytest.raises(TimeoutError):
            await api.wait_until_idle(thread.id, timeout=0.05)
        with pytest.raises(errors.ThreadNotFoundError):
            await api.wait_until_idle("nothing", timeout=5)
