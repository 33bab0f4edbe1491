"""Two runners on one thread: the one that lost the work writes nothing, and readers notice nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from agent_core import Agent, Runtime, ToolContext, define_internal_agent_api
from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.domain.model_adapter import Finish, ModelEvent, ModelRequest, TextDelta
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.errors import ModelError
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent
from tests.support.agents import (
    QUICK,
    Follower,
    agent_on,
    finished,
    held,
    lose_leases,
    rows,
    texts,
    tool_parts,
    worker_of,
)
from tests.support.databases import prepared
from tests.support.processes.sleep import put_to_sleep


class Gate:
    """Model that says one word, waits for its gate, and then goes on or fails as given."""

    name = "gate"

    def __init__(self, first: str, then: str | Exception) -> None:
        self.first, self.then = first, then
        self.reached, self.opened, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        try:
            yield TextDelta(self.first)
            self.reached.set()
            while not self.opened.is_set():  # ignores cancellation, like a sleeping process
                try:
                    await self.opened.wait()
                except asyncio.CancelledError:
                    continue
            if isinstance(self.then, Exception):
                raise self.then
            yield TextDelta(self.then)
            yield Finish("stop")
        finally:
            self.left.set()


LATE = {
    "commit": "and more",
    "fail": ValueError("late"),
    "retry": ModelError("late", retryable=True),
}


@pytest.mark.parametrize("late", LATE)
async def test_a_late_step_writes_nothing(path: Path, late: str) -> None:
    """The late step's flush, commit, retry and failure all miss."""
    gate = Gate("old", LATE[late])
    async with Runtime(prepared(path)) as first:
        old = define_internal_agent_api(first, Agent("assistant", gate))
        thread = await old.create_thread("Hi")
        await asyncio.wait_for(gate.reached.wait(), 20)
        async with agent_on(path, [["new"]]) as new, Follower(new, thread.id) as follower:
            await lose_leases(old)
            done = await finished(new, thread)
            assert (done.status, await texts(new, thread)) == ("completed", ["Hi", "new"])
            before = rows(path)
            gate.opened.set()
            await asyncio.wait_for(gate.left.wait(), 20)
            await eventually(lambda: not first.workpool.busy)
            assert rows(path) == before
            await follower.agrees()


@pytest.mark.parametrize("end", ["result", "error", "retry", "progress"])
async def test_a_late_tool_writes_nothing(path: Path, end: str) -> None:
    leave, left = threading.Event(), threading.Event()
    began: list[int] = []

    def slow(ctx: ToolContext) -> str:
        """Take long."""
        began.append(ctx.attempt)
        leave.wait(20)
        left.set()
        if end in ("error", "retry"):
            raise OSError("late")
        if end == "progress":
            ctx.report_from_thread({"late": True})
        return "late"

    tool = action_tool(retry=end == "retry", rerun_on_interrupt=False)(slow)
    answer = lambda messages: ["Well."] if messages[-1]["role"] == "tool" else [ToolUse("slow", id="c")]  # noqa: E731
    async with agent_on(path, answer, tools=[tool]) as old:
        thread = await old.create_thread("Hi")
        await eventually(lambda: began)
        async with agent_on(path, answer, tools=[tool]) as new, Follower(new, thread.id) as follower:
            await lose_leases(old)
            await finished(new, thread)
            assert (await tool_parts(new, thread))[0]["errorText"] == IN_DOUBT.text
            before = rows(path)
            leave.set()
            assert await asyncio.to_thread(left.wait, 20)
            await eventually(lambda: not worker_of(old).pools.tools.busy)
            assert rows(path) == before
            await follower.agrees()
        assert began == [1]


async def test_only_one_of_two_workers_claims(path: Path) -> None:
    """Both workers are sent the same work repeatedly, but each step is asked for once."""
    asked: list[int] = []

    def turn(messages: list[dict[str, Any]]) -> list[Any]:
        asked.append(len(messages))
        return [f"{len(messages)}"]

    async with (
        agent_on(path, turn) as one,
        agent_on(path, turn) as two,
        agent_on(path, [], runtime={"work": False}) as sender,
    ):
        for number in range(10):
            thread = await sender.create_thread(f"{number}")
            for api in (one, two) * 3:
                worker_of(api).dispatch(step_key(thread.id))
            await finished(sender, thread)
        assert len(asked) == 10


async def test_a_worker_elsewhere_takes_over_when_the_lease_ends(path: Path) -> None:
    """A worker on another machine leaves no lock file that shows its death."""
    async with agent_on(path, [["new"]], settings=QUICK) as new:
        await new.create_thread(thread_id="t")

        def strand(tx: Any) -> None:
            tx.wake.enqueue(tx, "step:t", tx.now + 0.5)
            tx.cursor.execute("update agent_thread set status = 'streaming', message_id = 'm', position = 2")
            tx.cursor.execute("update agent_wake_up set worker = 'elsewhere'")

        await new.store.writer.run(strand)
        assert (await finished(new, "t")).status == "completed"


@pytest.mark.timeout(150)
async def test_a_zombie_wakes_in_a_real_process(path: Path, tmp_path: Path) -> None:
    """After SIGSTOP past the lease, a takeover and SIGCONT, the writes of the zombie miss."""
    settings = {"lease": 1.0, "heartbeat": 0.2, "poll": 0.2, "reconcile": 0.2}
    plan = Plan(tmp_path, pace=0.1, settings=settings, database=prepared(path))
    zombie = spawn(plan)
    assert zombie.pid
    try:
        async with Runtime(plan.url, settings=QUICK, work=False) as watching:
            api = define_internal_agent_api(watching, make_agent(plan.effects, 0))
            await api.create_thread(thread_id="t")
            await api.send_message("t", "once")
            await eventually(lambda: plan.effects.count().get("ask once 0"))
            await asyncio.to_thread(put_to_sleep, zombie.pid, path)
            heir = spawn(plan)
            try:
                done = await finished(api, "t", 50)
                before, said = rows(path), await texts(api, "t")
                os.kill(zombie.pid, signal.SIGCONT)
                await api.create_thread(thread_id="u")  # work for the zombie, to see that it is awake again
                await api.send_message("u", "again")
                heir.kill()
                heir.join()
                await finished(api, "u", 50)
            finally:
                heir.kill()
                heir.join()
            assert done.status == "completed"
            assert await texts(api, "t") == said
            changed = {
                name: [row for row in new if row not in before[name]]
                for name, new in rows(path).items()
                if name != "agent_wake_up"
            }
            assert all("t" not in row for found in changed.values() for row in found)
            charged = {line: n for line, n in plan.effects.count().items() if line.startswith("charge")}
            assert set(charged.values()) <= {1}
    finally:
        zombie.kill()
        zombie.join()


async def test_two_followers_of_a_takeover_see_the_same(path: Path) -> None:
    gate = Gate("old", "x")
    async with Runtime(prepared(path)) as first:
        old = define_internal_agent_api(first, Agent("assistant", gate))
        thread = await old.create_thread("Hi")
        async with Follower(old, thread.id) as early:
            await early.until(lambda _: early.text == "old")
            go = asyncio.Event()
            async with agent_on(path, [chain(held(go), ["new"])]) as new:
                await lose_leases(old)
                async with Follower(new, thread.id) as late:
                    await eventually(lambda: new.agent.model.requests)  # type: ignore[union-attr]
                    await late.until(lambda _: late.text == "old")  # the text stays until the first new token
                    go.set()
                    await finished(new, thread)
                    await late.agrees()
                    await early.agrees()
            gate.opened.set()
