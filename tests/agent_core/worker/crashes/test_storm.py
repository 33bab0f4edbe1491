"""Random load from three processes' worth of runtimes: no thread is stranded, and no view is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent_core import AgentApi, errors
from agent_core.domain.states import OUTCOMES
from agent_core.store.database.sql import CALL, DELTA, STREAM, THREAD
from agent_core.store.turns.turns import WhenBusy
from agent_core.testing import Reasoning, ScriptedModel, ToolUse, eventually
from agent_core.tools import ToolContext, action_tool, async_tool
from tests.support.agents import AT_ONCE, Follower, agent_on, rows, tool_parts, worker_of

THREADS = ("t0", "t1", "t2")
BUSY: tuple[WhenBusy, ...] = ("reject", "queue", "queue", "interrupt")


class Storm:
    """Source of random actions; a seed fixes the choices but not their timing."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def model(self) -> ScriptedModel:
        return ScriptedModel(self._turn)

    def _turn(self, messages: list[dict[str, Any]]) -> list[Any]:
        dice, pause = self.random.random(), self.random.choice([0, 0.002, 0.01])
        said = ["Well ", pause, Reasoning("hm"), pause, "then. ", pause]
        if dice < 0.15:
            return [*said[: self.random.randrange(6)], errors.ModelError("Busy.", retryable=True)]
        if dice < 0.2:
            return [*said, errors.ModelError("No.", kind="auth")]
        if dice < 0.6 and sum(message["role"] == "tool" for message in messages) < 60:
            names = self.random.choices(
                ["quick", "flaky", "ask", "pay", "nothing"], k=self.random.randint(1, 3)
            )
            return [*said, *(ToolUse(name) for name in names)]
        return said

    def tools(self) -> list[Any]:
        @action_tool
        async def quick(ctx: ToolContext) -> str:
            """Be quick."""
            await ctx.report(1)
            return "done"

        @action_tool(retry=AT_ONCE)
        async def flaky(ctx: ToolContext) -> str:
            """Fail now and then."""
            await asyncio.sleep(0.002)
            if self.random.random() < 0.4:
                raise OSError("Not now.")
            return "done"

        @async_tool
        async def ask() -> None:
            """Ask a person."""

        @action_tool(needs_approval=True)
        async def pay() -> str:
            """Pay."""
            return "paid"

        return [quick, flaky, ask, pay]

    async def deed(self, apis: list[AgentApi]) -> None:
        """Do something random in one of the processes; a refusal is acceptable, too."""
        api, thread_id = self.random.choice(apis), self.random.choice(THREADS)
        number = self.random.randrange(1_000_000)
        how = self.random.choice(BUSY)
        deeds: list[Any] = [
            lambda: api.send_message(thread_id, f"{number}", when_busy=how),
            lambda: api.send_message(thread_id, "again", message_id=f"m{number % 5}", when_busy=how),
            lambda: api.stop_thread(thread_id),
            lambda: api.resume_thread(thread_id),
            lambda: api.resume_thread(thread_id, "Go on"),
            lambda: api.add_message(thread_id, {"role": "user", "content": f"added {number}"}),
            lambda: api.update_thread(thread_id, title=f"T{number}"),
            lambda: self.answer(api, thread_id),
            lambda: self.answer(api, thread_id),
            lambda: self.branch(api, thread_id),
            lambda: self.branch(api, thread_id),
        ]
        with contextlib.suppress(
            errors.ThreadBusyError,
            errors.ToolCallFinishedError,
            errors.DuplicateMessageError,
            errors.ValidationError,
        ):
            await self.random.choice(deeds)()

    async def branch(self, api: AgentApi, thread_id: str) -> None:
        """Edit, regenerate or fork at a random message, or select one of its branches."""
        found = await api.list_messages(thread_id)
        if found:
            message = self.random.choice(found)
            deeds: list[Any] = [
                lambda: api.edit_message(thread_id, message.id, f"edited {message.id[-4:]}"),
                lambda: api.regenerate(thread_id, message.id),
                lambda: api.select_branch(thread_id, self.random.choice(message.branches or (message.id,))),
                lambda: api.fork_thread(thread_id, message.id),
            ]
            await self.random.choice(deeds)()

    async def answer(self, api: AgentApi, thread_id: str) -> None:
        """Decide on every call that waits for a person."""
        for part in await tool_parts(api, thread_id):
            call_id = part["toolCallId"]
            with contextlib.suppress(errors.ToolCallFinishedError):
                if part["state"] == "approval-requested" and self.random.random() < 0.5:
                    await api.deny_tool_calls(thread_id, [call_id], self.random.choice([None, "No."]))
                elif part["state"] == "approval-requested":
                    await api.approve_tool_calls(thread_id, [call_id])
                elif part["state"] == "input-available" and part["type"] == "tool-ask":
                    await api.add_tool_result(call_id, "answer", thread_id=thread_id)


@pytest.mark.parametrize("seed", range(3))
async def test_storm_of_sends_stops_and_branches_leaves_all_readers_agreed(path: Path, seed: int) -> None:
    storm = Storm(seed)
    options: dict[str, Any] = {"tools": storm.tools(), "throttle_ms": 2, "max_steps": 6}
    async with (
        agent_on(path, storm.model(), **options) as one,
        agent_on(path, storm.model(), **options) as two,
        agent_on(path, [], **options, runtime={"work": False}) as sender,
    ):
        apis = [one, two, sender]
        for thread_id in THREADS:
            await one.create_thread(thread_id=thread_id)
        async with contextlib.AsyncExitStack() as stack:
            followers = [
                await stack.enter_async_context(Follower(api, thread_id))
                for api in apis
                for thread_id in THREADS
            ]
            for _ in range(60):
                await asyncio.gather(*(storm.deed(apis) for _ in range(storm.random.randint(1, 3))))
                await asyncio.sleep(storm.random.choice([0, 0.005, 0.02]))

            async def calm(thread_id: str) -> bool:
                await storm.answer(sender, thread_id)
                thread = await sender.get_thread(thread_id)
                return thread is not None and thread.status not in ("streaming", "awaiting_tool_results")

            for thread_id in THREADS:
                await eventually(lambda thread_id=thread_id: calm(thread_id))
            for follower in followers:
                await follower.agrees()
        pools = [
            pool for api in (one, two) for pool in (worker_of(api).pools.steps, worker_of(api).pools.tools)
        ]
        await eventually(lambda: not any(pool.busy for pool in pools))
        check_rows(path)


def check_rows(path: Path) -> None:
    """Check the invariants of a database whose threads are idle."""
    found = rows(path)

    def column(table: Any, name: str) -> list[Any]:
        return [row[table.c.keys().index(name)] for row in found[table.name]]

    assert found["agent_wake_up"] == []
    assert set(column(CALL, "status")) <= {str(outcome) for outcome in OUTCOMES}
    assert "streaming" not in column(STREAM, "status")
    cursors = Counter(column(DELTA, "thread_id"))
    for thread_id, cursor in zip(column(THREAD, "id"), column(THREAD, "cursor"), strict=True):
        mine = sorted(row[1] for row in found["agent_delta"] if row[0] == thread_id)
        assert mine == list(range(cursor - cursors[thread_id] + 1, cursor + 1)), "a cursor is missing"
    for row in found["agent_stream"]:
        json.loads(row[STREAM.c.keys().index("parts")])
