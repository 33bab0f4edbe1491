"""Threads: creating, listing, paging, deleting and waiting."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import errors
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.support.agents import Follower, agent_on, finished, rows, texts, worker_of

LONG = 30.0  # seconds that a scripted model takes unless it is stopped


def empty(path: Path) -> bool:
    return not any(rows(path).values())


# create


async def test_a_prompt_is_answered(path: Path) -> None:
    seen = asyncio.Event()  # the running status was read; a quick answer would end before that

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


async def test_thread_without_a_prompt_is_idle(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        thread = await api.create_thread(metadata={"a": [1]}, title="Mine")
        assert (thread.status, thread.title, thread.metadata) == ("completed", "Mine", {"a": [1]})
        earlier = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "One."}]
        other = await api.create_thread(messages=[*earlier, {"role": "user", "content": "Two?"}])
        assert other.status == "completed"
        assert (await api.resume_thread(other.id)).status in (
            "streaming",
            "completed",
        )  # the answer may already be complete
        await finished(api, other)
        assert await texts(api, other) == ["One?", "One.", "Two?", "Yes."]


async def test_earlier_messages_are_answered_with_auto_start(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        thread = await api.create_thread(messages=[{"role": "user", "content": "One?"}], auto_start=True)
        assert (await finished(api, thread)).status == "completed"
        assert await texts(api, thread) == ["One?", "Yes."]


async def test_second_thread_of_one_id_is_refused(path: Path) -> None:
    async with agent_on(path, [["Yes."]]) as api:
        await api.create_thread("Hi", thread_id="thread_mine")
        with pytest.raises(errors.ValidationError):
            await api.create_thread("Hi", thread_id="thread_mine")
        await finished(api, "thread_mine")
        assert await texts(api, "thread_mine") == ["Hi", "Yes."]


# delete, list, update, wait


async def test_deletion_of_a_running_thread_ends_its_work(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api:
        thread = await api.create_thread("Hi")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "a")
            await api.delete_thread(thread.id)
            await follower.until(lambda view: view.deleted)
        await eventually(lambda: not worker_of(api).pools.steps.running())
        assert empty(path)
        assert await api.get_thread(thread.id) is None


async def test_deletion_while_a_tool_runs_ends_the_tool(path: Path, caplog: pytest.LogCaptureFixture) -> None:
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
        await eventually(lambda: any(key.kind == "tool" for key in worker_of(api).pools.tools.running()))
        await api.delete_thread(thread.id)
        await eventually(lambda: not worker_of(api).pools.tools.running())
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


async def test_wait_until_idle_gives_up_after_its_timeout(path: Path) -> None:
    async with agent_on(path, [["a", LONG]]) as api:
        thread = await api.create_thread("Hi")
        with pytest.raises(TimeoutError):
            await api.wait_until_idle(thread.id, timeout=0.05)


async def test_everything_unknown_is_not_found(path: Path) -> None:
    async with agent_on(path, []) as api:
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
            anext(api.subscribe("nope")),
        ):
            with pytest.raises(errors.ThreadNotFoundError):
                await call
        with pytest.raises(errors.ToolCallNotFoundError):
            await api.add_tool_result("nope", 1)
        assert await api.get_thread("nope") is None
