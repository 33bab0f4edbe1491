"""Report on workers and on the queue: what runs, what is due, what waits and why."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from agent_core import Budget, CallContext, RetryPolicy, Runtime, define_agent_api, errors
from agent_core.store.database.sql import WORKER, Statement
from agent_core.store.database.transaction import Tx
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool, async_tool
from tests.support.agents import QUICK, agent_on, prepare
from tests.support.databases import prepared

LATER = RetryPolicy(max_attempts=3, initial_delay=600, jitter=0)
BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return prepare(tmp_path / "agents.db")


async def test_the_report_has_running_waiting_and_paused_work(path: Path) -> None:
    go = asyncio.Event()

    @action_tool
    async def look() -> str:
        """Look."""
        await go.wait()
        return "seen"

    @async_tool
    async def ask() -> None:
        """Ask."""

    calls = [ToolUse("look", id="c"), ToolUse("ask", id="d")]

    def turns(messages: list[dict[str, str]]) -> object:
        return [BUSY] if messages[-1]["content"] == "Fail" else calls

    async with agent_on(path, turns, tools=[look, ask], settings=QUICK, retry=LATER) as api:
        await api.create_thread("Hi")
        await api.create_thread("Fail", title="Fails", ctx=CallContext("ann"))
        await api.limits.set_budget(Budget(tokens=0), user_id="bob")
        paused = await api.create_thread("Hi", ctx=CallContext("bob"))

        async def waits() -> bool:
            found = await api.admin.work()
            return len(found.waiting) == 2 and found.answers == 1

        await eventually(waits)
        found = await api.admin.work()
        (worker,) = found.workers
        assert (worker.name, worker.lives, worker.steps, worker.tools) == (api.store.process, True, 0, 1)
        assert (worker.engine, worker.agents) == (None, (api.agent.name,))
        queues = {queue.kind: (queue.running, queue.due, queue.waiting) for queue in found.queues}
        assert queues["tool"] == (1, 0, 0)
        assert queues["step"] == (0, 0, 2)
        assert (found.approvals, found.answers) == (0, 1)
        assert found.threads == {"awaiting_tool_results": 1, "streaming": 2}
        retry, pause = found.waiting
        assert (retry.title, retry.user_id, (retry.retry_state or {})["kind"]) == (
            "Fails",
            "ann",
            "rate_limited",
        )
        assert (pause.thread_id, (pause.retry_state or {})["kind"]) == (paused.id, "budget")
        assert found.at < retry.next_at < pause.next_at
        assert len((await api.admin.work(limit=1)).waiting) == 1
        go.set()


async def test_due_work_and_a_dead_worker_are_shown_without_a_worker_here(path: Path) -> None:
    async with agent_on(path, [], runtime={"work": False}) as api:
        now = api.store.clock.now()
        await api.create_thread("Hi")
        await api.store.writer.run(_announce, "gone", now - 3600)
        await api.store.writer.run(_announce, "here", now)
        found = await api.admin.work()
        (queue,) = found.queues
        assert (queue.kind, queue.running, queue.due, queue.waiting) == ("step", 0, 1, 0)
        assert 0 <= queue.oldest_wait < 60
        assert [(worker.name, worker.lives) for worker in found.workers] == [("gone", False), ("here", True)]
        assert found.at - found.workers[0].seen_at > timedelta(minutes=59)


def _announce(tx: Tx, name: str, seen_at: float) -> None:
    row = {"name": name, "host": "h", "started_at": seen_at, "seen_at": seen_at, "steps": 4, "agents": "[]"}
    tx.do(Statement(insert(WORKER).values(row)))


@pytest.mark.sqlite  # no database decides
@pytest.mark.parametrize("limit", [0, -1, 1_001, 1.5, "9", None, True])
async def test_a_limit_out_of_its_range_is_refused(path: Path, limit: object) -> None:
    async with agent_on(path, [], runtime={"work": False}) as api:
        with pytest.raises(errors.ValidationError, match="limit"):
            await api.admin.work(limit=limit)  # pyright: ignore[reportArgumentType]


@pytest.mark.sqlite  # no database decides
async def test_only_those_read_the_report_whom_the_callback_allows(path: Path) -> None:
    def admins(ctx: CallContext | None) -> None:
        if ctx is None or ctx.user_id != "admin":
            raise errors.AccessDeniedError("Admins only.")

    async with Runtime(prepared(path), work=False) as runtime:
        async with agent_on(path, []) as internal:
            agent = internal.agent
        closed = define_agent_api(runtime, agent)
        with pytest.raises(errors.AccessDeniedError, match="belongs to everybody"):
            await closed.admin.work(ctx=CallContext("ann"))
        await closed.admin.work()
        api = define_agent_api(runtime, agent, admin_callback=admins)
        for ctx in (None, CallContext("ann"), CallContext()):
            with pytest.raises(errors.AccessDeniedError, match="Admins only"):
                await api.admin.work(ctx=ctx)
        await api.admin.work(ctx=CallContext("admin"))
