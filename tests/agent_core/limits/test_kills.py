"""Processes that are killed (SIGKILL) while their steps hold a limit: the others go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_core import Budget, Limit, Runtime, define_internal_agent_api
from agent_core.testing import eventually
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent
from tests.support.agents import finished
from tests.support.databases import prepared


async def test_the_slot_of_a_killed_process_is_free_at_once(path: Path) -> None:
    """The lease lasts an hour, but the lock file shows the death."""
    plan = Plan(path.parent, pace=30, settings={"lease": 3600.0}, database=prepared(path))
    async with Runtime(plan.url, work=False) as watching:
        api = define_internal_agent_api(watching, make_agent(plan.effects, 0))
        await api.limits.set_limit("scripted", Limit(concurrency=1))
        threads = [(await api.create_thread("once", thread_id=name)).id for name in ("a", "b", "c")]
        dead = spawn(plan)

        async def all_but_one_wait() -> bool:
            found = [await api.get_thread(thread_id) for thread_id in threads]
            (use,) = await api.limits.list_limits()
            return use.running == 1 and sum(bool(one and one.retry_state) for one in found) == 2

        await eventually(all_but_one_wait)
        dead.kill()
        dead.join()
        async with Runtime(plan.url) as heir:
            again = define_internal_agent_api(heir, make_agent(plan.effects, 0))
            for thread_id in threads:
                assert (await finished(again, thread_id)).status == "completed"
            (use,) = await again.limits.list_limits()
            assert use.running == 0


@pytest.mark.parametrize("point", ["claim.after", "commit.before", "commit.inside", "commit.after"])
async def test_a_kill_anywhere_in_a_step_leaves_nobody_waiting(path: Path, point: str) -> None:
    plan = Plan(path.parent, pace=0, die_at=(point, 3), database=prepared(path))
    async with Runtime(plan.url, work=False) as watching:
        api = define_internal_agent_api(watching, make_agent(plan.effects, 0))
        await api.limits.set_limit("scripted", Limit(concurrency=1))
        await api.limits.set_budget(Budget(tokens=10_000), agent="*")
        threads = [(await api.create_thread(f"work {name}", thread_id=name)).id for name in ("a", "b")]
        dead = spawn(plan)
        dead.join(60)
        assert dead.exitcode == -9
        async with Runtime(plan.url) as heir:
            again = define_internal_agent_api(heir, make_agent(plan.effects, 0))
            for thread_id in threads:
                assert (await finished(again, thread_id, 60)).status == "completed"
            assert [use.running for use in await again.limits.list_limits()] == [0]
            (use,) = await again.limits.list_budgets(agent="chaos")
            seen = await again.insight.usage_summary()
            assert use.tokens == seen.total.total_tokens, "each attempt counts once, also the lost one"
