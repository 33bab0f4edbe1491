"""Crashes during a change of branch: the change is complete or has not happened."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi
from agent_core.runners.history_cache import HistoryCache, OpenTurn
from agent_core.support import faults
from agent_core.testing import ToolUse
from agent_core.tools import action_tool
from tests.support.agents import Follower, agent_on, finished, rows, texts, worker_of
from tests.support.branches import ids, numbered, talk
from tests.support.databases import url
from tests.support.processes.children import FORKED

DEEDS = ("edit", "regenerate", "select", "fork")
AFTER = {
    "edit": ["A", "re:A 1"],
    "regenerate": ["a", "re:a 1"],
    "select": ["a", "re:a 1", "b", "re:b 2"],
    "fork": ["a", "re:a 1"],
}


async def _prepare(path: Path, deed: str) -> tuple[str, list[str]]:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b")
        goal = await ids(api, thread)
        if deed == "select":
            await api.edit_message(thread.id, goal[2], "B")
            await finished(api, thread)
    return thread.id, goal


async def _do(api: AgentApi, deed: str, thread_id: str, goal: list[str]) -> None:
    if deed == "edit":
        await api.edit_message(thread_id, goal[0], "A")
    elif deed == "regenerate":
        await api.regenerate(thread_id, goal[1])
    elif deed == "select":
        await api.select_branch(thread_id, goal[3])
    else:
        await api.fork_thread(thread_id, goal[1], new_thread_id="fork")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _child(path: str, point: str, deed: str, thread_id: str, goal: list[str]) -> None:
    async def main() -> None:
        async with agent_on(path, numbered(), runtime={"work": False}) as api:
            faults.install(point, _die)
            await _do(api, deed, thread_id, goal)

    asyncio.run(main())


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("point", ["send.inside", "send.after"])
async def test_branch_is_whole_or_absent_after_a_crash_inside_its_write(
    path: Path, point: str, deed: str
) -> None:
    thread_id, goal = await _prepare(path, deed)
    before = rows(path)
    args = (url(path), point, deed, thread_id, goal)
    child = FORKED.Process(target=_child, args=args)
    child.start()
    await asyncio.to_thread(child.join, 60)
    dies = point == "send.inside" or deed in ("edit", "regenerate")
    assert child.exitcode == (-signal.SIGKILL if dies else 0)
    async with agent_on(path, numbered()) as api:
        if point == "send.inside":
            assert rows(path) == before
            await _do(api, deed, thread_id, goal)
        result = "fork" if deed == "fork" else thread_id
        async with Follower(api, result) as follower:
            assert (await finished(api, result)).status == "completed"
            assert await texts(api, result) == AFTER[deed]
            await follower.agrees()


@action_tool(retry=True)
async def look() -> str:
    """Look."""
    return "seen"


def looks(messages: list[dict[str, Any]]) -> list[Any]:
    """Call `look`, then answer with the text of the first message."""
    if messages[-1]["role"] == "tool":
        return ["seen with ", messages[0]["content"]]
    return ["Hm. ", 0.02, ToolUse("look", id="c")]


def _working_child(path: str, point: str, thread_id: str, message_id: str) -> None:
    async def main() -> None:
        async with agent_on(path, looks, tools=[look]) as api:
            faults.install(point, _die)
            await api.regenerate(thread_id, message_id)
            await finished(api, thread_id)

    asyncio.run(main())


@pytest.mark.parametrize("point", ["claim.after", "delta.after", "commit.inside", "tool.commit.inside"])
async def test_turn_of_a_new_branch_goes_on_after_a_crash(path: Path, point: str) -> None:
    async with agent_on(path, looks, tools=[look]) as api:
        thread = await talk(api, "a")
        first = (await ids(api, thread))[1]
    args = (url(path), point, thread.id, first)
    child = FORKED.Process(target=_working_child, args=args)
    child.start()
    await asyncio.to_thread(child.join, 60)
    assert child.exitcode == -signal.SIGKILL
    async with agent_on(path, looks, tools=[look]) as api, Follower(api, thread.id) as follower:
        assert (await finished(api, thread)).status == "completed"
        answer = (await api.list_messages(thread.id))[1]
        assert (answer.text, len(answer.branches)) == ("Hm. \n\nseen with a", 2)
        await follower.agrees()
        await api.select_branch(thread.id, first)
        assert (await texts(api, thread)) == ["a", "Hm. \n\nseen with a"]
        await follower.agrees()


async def test_turn_in_memory_is_not_used_for_another_branch(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that caches the turn of the old branch must not use that history for the new branch."""
    kept: list[OpenTurn] = []
    keep = HistoryCache.put

    def noted(self: HistoryCache, thread_id: str, turn: OpenTurn) -> None:
        kept.append(turn)
        keep(self, thread_id, turn)

    monkeypatch.setattr(HistoryCache, "put", noted)
    async with agent_on(path, looks, tools=[look]) as api:
        thread = await talk(api, "old")
        question = (await ids(api, thread))[0]
        turns = worker_of(api)._steps._history_cache  # pyright: ignore[reportPrivateUsage]
        done = await api.get_thread(thread.id)
        assert done is not None
        kept[0].seq, kept[0].open = done.seq, set()  # as if the turn had ended with that step
        keep(turns, thread.id, kept[0])
        await api.edit_message(thread.id, question, "new")
        await finished(api, thread)
        assert await texts(api, thread) == ["new", "Hm. \n\nseen with new"]
        asked = api.agent.model.requests[2]  # type: ignore[union-attr]
        assert [message["content"] for message in asked] == ["new"]
