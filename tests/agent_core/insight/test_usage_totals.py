"""Totals of usage: they equal the sum over the streams whatever happens, and outlive their threads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent_core import AgentApi, CallContext, errors
from agent_core.domain.model_adapter import Usage
from agent_core.domain.usage import Tally
from agent_core.store.database.sql import USAGE
from agent_core.store.threads import thread_row, usage_totals
from agent_core.testing import FakeClock, eventually
from tests.support.agents import agent_on, finished, rows

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUSY = errors.ModelError("Busy.", kind="rate_limited", retryable=True)


def answers(*costs: float | None) -> list[Any]:
    return [["Yes.", Usage(10, 1, 11, cost=cost)] for cost in costs]


async def count_all(api: AgentApi) -> None:
    while await api.store.writer.run(usage_totals.count_idle):
        pass


async def test_counted_usage_gives_the_same_summary(path: Path) -> None:
    lost = ["Ye", Usage(7, 0, 7, cost=0.25), BUSY]
    async with agent_on(path, [lost, *answers(0.5, None)]) as api:
        ada = CallContext("ada")
        thread = await finished(api, await api.create_thread("1", ctx=ada))
        await finished(api, await api.create_thread("2"))
        await api.fork_thread(thread.id, (await api.list_messages(thread.id))[-1].id)
        before = await api.insight.usage_summary()
        await count_all(api)
        assert await api.insight.usage_summary() == before
        assert before.total == Tally(3, 3, 27, 2, 29, cost=0.75)
        assert (await api.insight.usage_summary(ctx=ada)).total.cost == 0.75
        await count_all(api)
        assert await api.insight.usage_summary() == before, "counted twice"


async def test_a_thread_that_goes_on_is_counted_from_where_it_was(path: Path) -> None:
    async with agent_on(path, answers(0.5, 1.0, 2.0), runtime={"clock": FakeClock()}) as api:
        thread = await finished(api, await api.create_thread("1"))
        for cost in (1.5, 3.5):
            await count_all(api)
            await api.send_message(thread.id, "more")
            await finished(api, thread.id)
            assert (await api.insight.usage_summary()).total.cost == cost
            await count_all(api)
            assert (await api.insight.usage_summary()).total.cost == cost


async def test_a_worker_counts_idle_threads(path: Path) -> None:
    async with agent_on(path, answers(0.5)) as api:
        await finished(api, await api.create_thread("1"))

        async def counted() -> bool:
            return len(rows(path, USAGE)[USAGE.name]) == 1

        await eventually(counted)


async def test_a_deleted_thread_stays_in_the_summary(path: Path) -> None:
    async with agent_on(path, answers(0.5, 1.0, 2.0)) as api:
        counted = await finished(api, await api.create_thread("1"))
        await count_all(api)
        fresh = await finished(api, await api.create_thread("2"))
        await finished(api, await api.create_thread("3"))
        before = await api.insight.usage_summary()
        for thread in (counted, fresh):
            await api.delete_thread(thread.id)
        assert await api.insight.usage_summary() == before


async def test_a_thread_that_is_deleted_while_it_runs_counts_its_open_request(path: Path) -> None:
    async with agent_on(path, [["Half", 30.0]]) as api:
        thread = await api.create_thread("1")

        async def begun() -> bool:
            return any(update.chunks for update in await api.stream_updates(thread.id))

        await eventually(begun)
        await api.delete_thread(thread.id)
        assert (await api.insight.usage_summary()).total == Tally(1, 0)


async def test_a_title_that_is_counted_late_is_added(path: Path) -> None:
    """A title is asked for after the answer, whose usage may be counted by then."""
    more = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7, "cost": 0.25}
    async with agent_on(path, answers(0.5)) as api:
        thread = await finished(api, await api.create_thread("1"))
        await count_all(api)
        assert thread.title is not None
        seq = thread.seq
        await api.store.writer.run(thread_row.write_title, thread.id, seq, thread.title, "New", more)
        total = (await api.insight.usage_summary()).total
        assert total == (await api.insight.usage(thread.id)).total == Tally(1, 1, 15, 3, 18, cost=0.75)


async def test_usage_stays_with_the_agent_that_used_it(path: Path) -> None:
    async with agent_on(path, answers(0.5, 1.0)) as api:
        thread = await finished(api, await api.create_thread("1"))
        await api.store.writer.run(_change_agent, thread.id, "other")
        found = await api.insight.usage_summary()
        assert {name: tally.cost for name, tally in found.by_agent.items()} == {"assistant": 0.5}


def _change_agent(tx: Any, thread_id: str, agent: str) -> None:
    thread_row.change(tx, thread_id, agent=agent)


async def test_a_moment_is_rounded_down_to_its_period(path: Path) -> None:
    clock = FakeClock(NOON.timestamp() + 600)
    async with agent_on(path, answers(0.5, 1.0), runtime={"clock": clock}) as api:
        await finished(api, await api.create_thread("1"))
        for counted in (False, True):
            if counted:
                await count_all(api)
            since = await api.insight.usage_summary(since=NOON.replace(minute=14))
            until = await api.insight.usage_summary(until=NOON.replace(minute=14))
            assert (since.total.requests, until.total.requests) == (1, 0)
            assert (await api.insight.usage_summary(since=NOON.replace(minute=15))).total == Tally()
