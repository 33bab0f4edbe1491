"""Repeat tests of turns and tool calls with Procrastinate delivering the work."""

from __future__ import annotations

import asyncio
import collections
from typing import Any

import pytest
from sqlalchemy.engine import make_url

from agent_core import (
    Agent,
    Runtime,
    Workpool,
    action_tool,
    create_workpool_bridge,
    define_internal_agent_api,
)
from agent_core.testing import ScriptedModel, ToolUse, eventually
from agent_core.worker.procrastinate import ProcrastinateEngine
from tests.agent_core.api.test_queued import *  # noqa: F403
from tests.agent_core.api.test_stops import *  # noqa: F403
from tests.agent_core.api.test_turns import *  # noqa: F403
from tests.agent_core.branches.test_branches import *  # noqa: F403
from tests.agent_core.runners.test_model_runner import *  # noqa: F403
from tests.agent_core.runners.test_tool_runner import *  # noqa: F403
from tests.agent_core.tool_calls.test_approvals import *  # noqa: F403
from tests.agent_core.tool_calls.test_outcomes import *  # noqa: F403
from tests.support import agents
from tests.support.databases import PLACE
from tests.tools.postgresql import PostgreSQL

del test_retry_after_is_honoured  # noqa: F821  # by a clock of the test, which Procrastinate does not follow

pytestmark = pytest.mark.postgresql  # Procrastinate requires PostgreSQL


def workpool(url: str) -> Workpool:
    """Return a workpool to which Procrastinate delivers the work on a database."""
    return create_workpool_bridge(ProcrastinateEngine(url))


@pytest.fixture(autouse=True)
def _deliveries(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PLACE.with_engine = True
    monkeypatch.setattr(agents, "workpool_for", workpool)


@action_tool
async def count(n: int) -> int:
    """Count."""
    return n + 1


async def test_the_work_is_shared(database_url: str, postgresql: PostgreSQL) -> None:
    """Two workers share the threads that a third runtime sends, and leave no rows in the queue tables."""
    done: collections.Counter[str] = collections.Counter()

    def agent(name: str) -> Agent:
        def turn(messages: list[dict[str, Any]]) -> list[Any]:
            done[name] += 1
            asked = sum(message["role"] == "tool" for message in messages)
            return [ToolUse("count", {"n": asked})] if asked < 3 else [0.01, "Done."]

        return Agent("assistant", ScriptedModel(turn), tools=[count])

    async with (
        Runtime(database_url, workpool(database_url)) as one,
        Runtime(database_url, workpool(database_url)) as two,
        Runtime(database_url, workpool(database_url), work=False) as sender,
    ):
        for name, runtime in (("one", one), ("two", two)):
            define_internal_agent_api(runtime, agent(name))
        api = define_internal_agent_api(sender, agent("sender"))
        while min(done["one"], done["two"]) == 0:  # one worker may start listening later than the other
            await api.wait_until_idle((await api.create_thread("Go")).id, 30)
        done.clear()
        threads = [await api.create_thread("Go") for _ in range(40)]
        for thread in threads:
            assert (await api.wait_until_idle(thread.id, 30)).status == "completed"
        assert sum(done.values()) == 160
        assert min(done["one"], done["two"]) > 20, done
        database = make_url(database_url).database or ""

        async def none_left() -> bool:
            query = "select (select count(*) from procrastinate_jobs) + (select count(*) from agent_wake_up)"
            ((rows,),) = await asyncio.to_thread(postgresql.execute, query, database=database)
            return rows == 0

        await eventually(none_left)


async def test_procrastinate_delivers_what_the_scheduler_leaves_to_it(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without this test, the scheduler would hide that every delivery fails."""
    monkeypatch.setattr("agent_core.worker.bridge._ENGINE_TIMEOUT", 3600.0)
    agent = Agent("assistant", ScriptedModel(lambda _: ["Well."]))
    async with (
        Runtime(database_url, workpool(database_url)) as worker,
        Runtime(database_url, workpool(database_url), work=False) as sender,
    ):
        define_internal_agent_api(worker, agent)
        api = define_internal_agent_api(sender, agent)
        for _ in range(3):
            thread = await api.create_thread("Go")
            assert (await api.wait_until_idle(thread.id, 20)).status == "completed"


async def test_workpool_closed_while_it_connects_leaves_nothing_behind(database_url: str) -> None:
    """A leftover task of the connection pool takes its cancellation for a failed attempt and blocks exit."""
    engine = ProcrastinateEngine(database_url)
    await asyncio.to_thread(engine.prepare)

    async def deliver(key: str) -> None:
        raise AssertionError(f"nothing is deferred, but {key} came")

    before = asyncio.all_tasks()
    running = asyncio.create_task(engine.run(deliver, 1))
    for _ in range(100_000):  # stop as soon as the pool has tasks
        await asyncio.sleep(0)
        if asyncio.all_tasks() - before > {running}:
            break
    running.cancel()
    assert await asyncio.gather(running, return_exceptions=True) != [None]
    assert asyncio.all_tasks() == before
