"""Forks: independent copies of what is committed at the time of the fork."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent_core import CallContext, errors
from agent_core.domain.end_reasons import STILL_OPEN
from agent_core.store.database.sql import CALL, MESSAGE, STREAM, THREAD
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import Follower, agent_on, finished, rows, texts, tool_parts
from tests.support.branches import ids, numbered, talk

LONG = 30.0


async def test_a_fork_and_its_original_continue_independently(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b", "c")
        await api.update_thread(thread.id, title="Mine", metadata={"k": [1]})
        before = [m.to_dict() for m in await api.list_messages(thread.id)]
        fork = await api.fork_thread(thread.id, before[3]["id"])
        assert (fork.status, fork.title, fork.agent) == ("completed", "Mine", "assistant")
        origin = {"thread_id": thread.id, "message_id": before[3]["id"]}
        assert fork.metadata == {"k": [1], "forked_from": origin}
        copied = [m.to_dict() for m in await api.list_messages(fork.id)]
        assert copied == [m | {"thread_id": fork.id} for m in before[:4]]
        async with Follower(api, fork.id) as follower:
            assert (await api.resume_thread(fork.id)).status == "completed"
            await api.send_message(fork.id, "d")
            await finished(api, fork)
            assert await texts(api, fork) == ["a", "re:a 1", "b", "re:b 2", "d", "re:d 4"]
            await follower.agrees()
            await api.edit_message(fork.id, before[0]["id"], "A")
            await finished(api, fork)
            await follower.agrees()
            assert (await api.select_branch(fork.id, before[3]["id"])).status == "completed"
            await follower.agrees()
        assert [m.to_dict() for m in await api.list_messages(thread.id)] == before
        await api.delete_thread(thread.id)
        assert len(await ids(api, fork)) == 6


async def test_a_follower_of_a_fork_begins_with_a_snapshot(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a")
        fork = await api.fork_thread(thread.id, (await ids(api, thread))[-1])
        for cursor in (None, 0, 5):
            async with Follower(api, fork.id, cursor) as follower:
                await follower.agrees()
                assert follower.snapshots == 1


async def test_fork_belongs_to_its_maker_under_an_id_that_is_free(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await api.create_thread("a", ctx=CallContext("ann"))
        await finished(api, thread)
        question = (await ids(api, thread))[0]
        assert (await api.fork_thread(thread.id, question)).user_id == "ann"
        bobs = await api.fork_thread(thread.id, question, new_thread_id="mine", ctx=CallContext("bob"))
        assert (bobs.id, bobs.user_id) == ("mine", "bob")
        assert bobs.id in [found.id for found in await api.list_threads(ctx=CallContext("bob"))]
        before = rows(path)
        for new_id in ("mine", thread.id, "a:b", "", "a\0"):
            with pytest.raises(errors.ValidationError):
                await api.fork_thread(thread.id, question, new_thread_id=new_id)
        for message_id in ("nothing", "\ud800"):
            with pytest.raises(errors.MessageNotFoundError):
                await api.fork_thread(thread.id, message_id)
        with pytest.raises(errors.ThreadNotFoundError):
            await api.fork_thread("nothing", question)
        assert rows(path) == before


async def test_fork_copies_only_the_shown_branch(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b")
        old = await ids(api, thread)
        await api.regenerate(thread.id, old[1])
        await finished(api, thread)
        with pytest.raises(errors.ValidationError, match="select_branch"):
            await api.fork_thread(thread.id, old[1])
        fork = await api.fork_thread(thread.id, (await ids(api, thread))[1])
        assert await texts(api, fork) == ["a", "re:a 3"]
        assert not any(message.branches for message in await api.list_messages(fork.id))
        stored = rows(path, MESSAGE, STREAM)
        assert [len([r for r in table if r[0] == fork.id]) for table in stored.values()] == [2, 1]


@action_tool
async def look(x: int) -> int:
    """Look."""
    return x + 1


@async_tool
async def ask() -> None:
    """Ask a person."""


async def test_tool_calls_come_along_under_ids_of_their_own(path: Path) -> None:
    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        done = messages[-1]["role"] == "tool"
        return ["Well."] if done else ["So: ", ToolUse("look", {"x": 1}, id="c1"), ToolUse("ask", id="c2")]

    async with agent_on(path, turn, tools=[look, ask]) as api:
        thread = await api.create_thread("a")

        async def waits() -> bool:
            parts = await tool_parts(api, thread)
            return [part["state"] for part in parts] == ["output-available", "input-available"]

        await eventually(waits)
        answer = (await ids(api, thread))[-1]
        fork = await api.fork_thread(thread.id, answer)  # while the original thread runs
        assert fork.status == "stopped", "its turn is in the middle, and can be gone on with"
        seen, open_one = await tool_parts(api, fork)
        assert (seen["state"], seen["input"], seen["output"]) == ("output-available", {"x": 1}, 2)
        assert (open_one["state"], open_one["errorText"]) == ("output-error", STILL_OPEN.text)
        await api.add_tool_result("c2", "yes")  # still the only call with this id
        await finished(api, thread)
        assert (await tool_parts(api, thread))[1]["output"] == "yes"
        with pytest.raises(errors.ToolCallFinishedError):
            await api.add_tool_result("c2", "again")
        async with Follower(api, fork.id) as follower:
            await api.resume_thread(fork.id)
            await finished(api, fork)
            assert (await texts(api, fork)) == ["a", "So: \n\nWell."]
            await follower.agrees()
        heard = api.agent.model.requests[-1][-1]  # type: ignore[union-attr]
        assert STILL_OPEN.text in heard["content"]
        whole = await api.fork_thread(thread.id, answer)
        assert (whole.status, await texts(api, whole)) == ("completed", ["a", "So: \n\nWell."])
    found = [dict(zip(CALL.c.keys(), row, strict=True)) for row in rows(path, CALL)[CALL.name]]
    assert len({call["id"] for call in found}) == len(found) == 6


@pytest.mark.parametrize("end", ["stop", "fail"])
async def test_partial_text_is_history_in_the_copy(path: Path, end: str) -> None:
    broken = errors.ModelError("No.", kind="auth")
    turns: list[Any] = [["half", LONG if end == "stop" else broken], ["more"], ["whole"]]
    async with agent_on(path, turns) as api:
        thread = await api.create_thread("a")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "half")
        await api.stop_thread(thread.id)
        await finished(api, thread)
        answer = (await ids(api, thread))[-1]
        fork = await api.fork_thread(thread.id, answer)
        assert (fork.status, fork.error) == ("stopped", None)
        async with Follower(api, fork.id) as follower:
            await follower.agrees()
            await api.send_message(fork.id, "Go on")
            await finished(api, fork)
            assert await texts(api, fork) == ["a", "half", "Go on", "more"]
            await follower.agrees()
        sent = [m["content"] for m in api.agent.model.requests[-1]]  # type: ignore[union-attr]
        assert sent == ["a", "half", "Go on"]
        await api.resume_thread(thread.id)
        await finished(api, thread)
        assert await texts(api, thread) == ["a", "whole"]


async def test_a_fork_while_the_answer_is_written_has_what_is_committed(path: Path) -> None:
    async with agent_on(path, [["one"], ["two", LONG]]) as api:
        thread = await talk(api, "a")
        await api.send_message(thread.id, "b")
        async with Follower(api, thread.id) as follower:
            await follower.until(lambda _: follower.text == "two")
            question = (await ids(api, thread))[2]
            fork = await api.fork_thread(thread.id, question)
            assert (fork.status, await texts(api, fork)) == ("completed", ["a", "one", "b"])
            with pytest.raises(errors.MessageNotFoundError):
                await api.fork_thread(thread.id, follower.view.messages[-1]["id"])
            await api.stop_thread(thread.id)
            await follower.agrees()


async def test_forks_made_at_once_are_all_whole(path: Path) -> None:
    async with agent_on(path, numbered()) as one, agent_on(path, numbered()) as two:
        thread = await talk(one, "a", "b")
        last = (await ids(one, thread))[-1]
        named = [api.fork_thread(thread.id, last, new_thread_id="same") for api in (one, two) * 4]
        ends = await asyncio.gather(*named, return_exceptions=True)
        assert sum(isinstance(end, errors.ValidationError) for end in ends) == len(ends) - 1
        await asyncio.gather(*(api.fork_thread(thread.id, last) for api in (one, two) * 4))
    stored = rows(path, THREAD, MESSAGE, STREAM)
    assert [len(table) for table in stored.values()] == [10, 40, 20]


async def test_cost_of_copied_messages_is_counted_once(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b")
        await api.fork_thread(thread.id, (await ids(api, thread))[-1])
    used = [row[STREAM.c.keys().index("usage")] for row in rows(path, STREAM)[STREAM.name]]
    assert [usage is None for usage in used] == [False, False, True, True]
