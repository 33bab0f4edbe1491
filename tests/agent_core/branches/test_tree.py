"""Tree of a thread's messages: nested branches and their selection, compared with a model in memory."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, Thread, errors
from agent_core.store.database.sql import CALL, DELTA, MESSAGE, STREAM, THREAD, WAKE_UP
from agent_core.store.threads.messages import NewMessage
from agent_core.store.turns import branches
from agent_core.testing import ScriptedModel
from tests.support.agents import Follower, agent_on, finished, rows, texts
from tests.support.branches import ids, numbered, talk


async def test_selecting_a_message_shows_the_newest_path_through_nested_branches(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b", "c")
        first = await ids(api, thread)
        await api.edit_message(thread.id, first[4], "C")  # a b C
        await finished(api, thread)
        second = await ids(api, thread)
        await api.edit_message(thread.id, first[2], "B")  # a B
        await finished(api, thread)
        await api.send_message(thread.id, "d")  # a B d
        await finished(api, thread)
        third = await ids(api, thread)
        assert await texts(api, thread) == ["a", "re:a 1", "B", "re:B 5", "d", "re:d 6"]
        assert (await api.select_branch(thread.id, first[5])).status == "completed"
        assert await ids(api, thread) == first, "through a branch into a branch of it"
        await api.select_branch(thread.id, third[2])
        assert await ids(api, thread) == third, "with all that stood behind it"
        await api.select_branch(thread.id, first[2])
        assert await ids(api, thread) == first, "as it was last shown"
        await api.select_branch(thread.id, second[4])
        assert await ids(api, thread) == second
        shown = {message.text: message.branches for message in await api.list_messages(thread.id)}
        assert shown["b"] == (first[2], third[2])
        assert shown["C"] == (first[4], second[4])


class Tree:
    """Simple model of what a thread shows: the path to each leaf, with the newest last."""

    def __init__(self) -> None:
        self.paths: list[list[str]] = []
        self.shown: list[str] = []

    def show(self, path: list[str]) -> None:
        self.paths = [p for p in self.paths if p != path[: len(p)]]
        self.paths.append(path)
        self.shown = path

    def select(self, message_id: str) -> None:
        """Show the newest path that contains the message."""
        if message_id not in self.shown:
            self.show(next(path for path in reversed(self.paths) if message_id in path))

    def alternatives(self, place: int) -> set[str]:
        before = self.shown[:place]
        return {p[place] for p in self.paths if len(p) > place and p[:place] == before}


@pytest.mark.parametrize("seed", range(2))
async def test_any_walk_through_the_tree_shows_what_a_model_of_it_shows(path: Path, seed: int) -> None:
    """Two runtimes edit, regenerate, send and select at random, each with a follower."""
    dice, tree = random.Random(seed), Tree()
    async with agent_on(path, numbered()) as one, agent_on(path, numbered()) as two:
        thread = await talk(one, "a", "b")
        tree.show(await ids(one, thread))
        async with Follower(one, thread.id) as near, Follower(two, thread.id) as far:
            for number in range(30):
                api = dice.choice((one, two))
                await _walk(api, thread, tree, dice, f"p{number}")
                assert await ids(api, thread) == tree.shown
                for place, message in enumerate(await api.list_messages(thread.id)):
                    others = tree.alternatives(place)
                    assert set(message.branches) == (others if len(others) > 1 else set())
                    assert list(message.branches) == sorted(message.branches), "in the order of creation"
                await near.agrees()
                await far.agrees()
    for row in rows(path, MESSAGE)[MESSAGE.name]:
        parent = row[MESSAGE.c.keys().index("parent_id")]
        assert parent is not None or row[MESSAGE.c.keys().index("position")] == 1


async def _walk(api: AgentApi, thread: Thread, tree: Tree, dice: random.Random, prompt: str) -> None:
    deed = dice.choice(["send", "edit", "regenerate", "select", "select"])
    place = dice.randrange(len(tree.shown))
    if deed == "select":
        message_id = dice.choice([m for path in tree.paths for m in path])
        tree.select(message_id)
        await api.select_branch(thread.id, message_id)
        return
    if deed == "send":
        await api.send_message(thread.id, prompt)
        kept = tree.shown
    elif deed == "edit":
        place -= place % 2  # questions have even indexes
        await api.edit_message(thread.id, tree.shown[place], prompt)
        kept = tree.shown[:place]
    else:
        await api.regenerate(thread.id, tree.shown[place])
        kept = tree.shown[: place + 1 - place % 2]
    assert (await finished(api, thread)).status == "completed"
    found = await ids(api, thread)
    assert found[: len(kept)] == kept
    assert not set(found[len(kept) :]) & {m for path in tree.paths for m in path}, "new ones are new"
    tree.show(found)


async def test_return_to_a_branch_costs_no_rows_and_changes_nothing_else(path: Path) -> None:
    async with agent_on(path, numbered()) as api:
        thread = await talk(api, "a", "b")
        first = await ids(api, thread)
        await api.edit_message(thread.id, first[2], "B")
        await finished(api, thread)
        second = await ids(api, thread)
        before = rows(path)
        for _ in range(3):
            for goal in (first, second):
                await api.select_branch(thread.id, goal[-1])
                assert await ids(api, thread) == goal
                await api.select_branch(thread.id, goal[0])  # already shown
                assert await ids(api, thread) == goal
        after = rows(path)
        for table in (STREAM, CALL, WAKE_UP):
            assert after[table.name] == before[table.name]
        assert len(after[MESSAGE.name]) == len(before[MESSAGE.name])
        assert not after[DELTA.name], "followers get a snapshot, so no delta is kept"


# at once, and queued


async def test_change_made_twice_at_once_is_made_once(path: Path) -> None:
    async with agent_on(path, numbered()) as one, agent_on(path, numbered()) as two:
        thread = await talk(one, "a", "b")
        goal = await ids(one, thread)
        for method, args in (("edit_message", (goal[2], "B")), ("regenerate", (goal[1],))):
            doing = [getattr(api, method)(thread.id, *args) for api in (one, two) * 3]
            ends = await asyncio.gather(*doing, return_exceptions=True)
            refused = [end for end in ends if isinstance(end, Exception)]
            assert len(ends) - len(refused) == 1
            # The first change has hidden the message, or its turn is running.
            assert all(isinstance(end, errors.ThreadBusyError | errors.ValidationError) for end in refused)
            await finished(one, thread)
            await one.select_branch(thread.id, goal[3])
            assert await ids(two, thread) == goal
        await asyncio.gather(*(api.select_branch(thread.id, goal[3]) for api in (one, two) * 3))
        assert await ids(two, thread) == goal


@pytest.mark.parametrize("way", ["edit", "regenerate"])
async def test_queued_messages_are_answered_after_the_new_turn(path: Path, way: str) -> None:
    """This holds even if the change is far up in the thread and more messages are queued after it."""
    hold = asyncio.Event()

    async def answer(messages: list[dict[str, Any]]) -> list[Any]:
        prompt = messages[-1]["content"]
        if prompt in ("c", "A") or (way == "regenerate" and hold.is_set() and prompt == "a"):
            return ["half", 30.0] if prompt == "c" else [f"re:{prompt}", 0.2]
        return [f"re:{prompt}"]

    async with agent_on(path, answer) as api:
        thread = await talk(api, "a", "b")
        async with Follower(api, thread.id) as follower:
            await api.send_message(thread.id, "c")
            await api.send_message(thread.id, "q1", when_busy="queue", message_id="q1")
            await api.stop_thread(thread.id)
            with pytest.raises(errors.ValidationError, match="waits for its turn"):
                await api.edit_message(thread.id, "q1", "x")
            with pytest.raises(errors.ValidationError, match="waits for its turn"):
                await api.fork_thread(thread.id, "q1")
            question, reply = (await ids(api, thread))[:2]
            hold.set()
            await (
                api.edit_message(thread.id, question, "A")
                if way == "edit"
                else api.regenerate(thread.id, reply)
            )
            await api.send_message(thread.id, "q2", when_busy="queue")
            assert (await finished(api, thread)).status == "completed"
            first = "A" if way == "edit" else "a"
            assert await texts(api, thread) == [first, f"re:{first}", "q1", "re:q1", "q2", "re:q2"]
            await follower.agrees()
            await api.select_branch(thread.id, reply)
            assert (await texts(api, thread))[:5] == ["a", "re:a", "b", "re:b", "c"]
            await follower.agrees()
    parents = {row[1]: row[MESSAGE.c.keys().index("parent_id")] for row in rows(path, MESSAGE)[MESSAGE.name]}
    assert sum(parent is None for parent in parents.values()) == (2 if way == "edit" else 1)


# long threads


async def test_a_change_near_the_end_of_a_long_thread_costs_only_the_end(path: Path) -> None:
    messages = [
        {"id": f"m{n}", "role": "assistant" if n % 2 else "user", "content": f"{n}"} for n in range(600)
    ]
    async with agent_on(path, lambda _: ["Yes."]) as api:
        thread = await api.create_thread(messages=messages)
        small = await api.create_thread(messages=[m | {"id": f"s{m['id']}"} for m in messages[:20]])

        async def cost(of: Thread, message_id: str) -> float:
            return min([await _spent(api, of, message_id, number) for number in range(8)])

        near, of_few = await cost(thread, "m590"), await cost(small, "sm10")
        assert near < 4 * of_few, (near, of_few)
        assert len(await ids(api, thread)) == 592
        aside = [row for row in rows(path, MESSAGE)[MESSAGE.name] if row[MESSAGE.c.keys().index("branch")]]
        assert len([row for row in aside if row[0] == thread.id]) == 10 + 2 * 7


async def _spent(api: AgentApi, thread: Thread, message_id: str, number: int) -> float:
    """Return the CPU seconds that the writer's thread spends on an edit."""
    shown = await ids(api, thread)
    place = shown.index(message_id) if message_id in shown else len(shown) - 2
    new = NewMessage(f"{thread.id}-{number}", "user", [{"type": "text", "text": "x"}], {})

    def timed(tx: Any) -> float:
        began = time.thread_time()
        branches.edit(tx, thread.id, shown[place], new)
        return time.thread_time() - began

    spent = await api.store.writer.run(timed)
    await finished(api, thread)
    return spent


async def test_deletion_erases_every_branch(path: Path) -> None:
    model = ScriptedModel(lambda _: ["Yes."])
    async with agent_on(path, model) as api:
        thread = await talk(api, "a", "b")
        await api.edit_message(thread.id, (await ids(api, thread))[0], "A")
        await finished(api, thread)
        await api.delete_thread(thread.id)
    assert not any(rows(path, MESSAGE, STREAM, CALL, THREAD, WAKE_UP, DELTA).values())
