"""Complaints about what happens after a process died: rows 01, 04, 05, 14 and 18."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from agent_core import Runtime, define_internal_agent_api, errors
from agent_core.testing import ToolUse, eventually
from agent_core.tools import action_tool
from tests.chaos.verdict import Verdict
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import make_agent
from tests.support.agents import Follower, agent_on, finished, texts, tool_parts
from tests.support.databases import prepare, prepared

KILLED = -signal.SIGKILL


def run(plan: Plan) -> int | None:
    """Run a worker in its own process and return the exit code."""
    child = spawn(plan)
    child.join(60)
    return child.exitcode


def test_01_a_side_effect_is_not_repeated_on_resume(tmp_path: Path) -> None:
    """A process dies between a tool's run and the write of its outcome; the next one does not rerun it."""
    prepare(tmp_path / "agents.db")
    for die_at in (("tool.ran", 1), None):
        plan = Plan(tmp_path, pace=0.005, send=("first",), die_at=die_at)
        assert run(plan) == (0 if die_at is None else KILLED)
    charges = {line: n for line, n in Plan(tmp_path).effects.count().items() if line.startswith("charge")}
    assert charges
    assert set(charges.values()) == {1}


async def test_04_a_thread_is_finished_after_a_restart(path: Path, tmp_path: Path) -> None:
    """A thread whose process was killed in mid-answer is finished by the next process."""
    plan = Plan(tmp_path, send=("Hi",), die_at=("delta.after", 2), database=prepared(path))
    assert run(plan) == KILLED
    async with Runtime(plan.url) as restarted:
        api = define_internal_agent_api(restarted, make_agent(plan.effects, 0))
        assert (await finished(api, plan.thread_id)).status == "completed"
        verdict = Verdict()
        verdict.hear(plan.effects.lines())
        verdict.thread(plan.thread_id, await api.list_messages(plan.thread_id))
    assert verdict.clean, verdict.table()


async def test_05_approvals_survive_a_restart_and_are_decided_once(path: Path) -> None:
    """Fifty-six approvals of one step outlive a restart, and only the first decision on each counts."""
    paid: list[int] = []

    @action_tool(needs_approval=True)
    async def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        return f"paid {amount}"

    uses = [ToolUse("pay", {"amount": n}, id=f"c{n}") for n in range(56)]
    turns: Any = lambda m: ["Well."] if m[-1]["role"] == "tool" else uses  # noqa: E731

    async def waiting(api: Any) -> bool:
        parts = await tool_parts(api, "t")
        return [part["state"] for part in parts] == ["approval-requested"] * 56

    async with agent_on(path, turns, tools=[pay]) as api:
        await api.create_thread("Go", thread_id="t")
        await eventually(lambda: waiting(api))
    async with agent_on(path, turns, tools=[pay]) as one, agent_on(path, turns, tools=[pay]) as two:
        assert await waiting(one)
        yes, no = [f"c{n}" for n in range(50)], [f"c{n}" for n in range(49, 56)]
        ends = await asyncio.gather(
            one.approve_tool_calls("t", yes), two.approve_tool_calls("t", yes), return_exceptions=True
        )
        assert sorted(type(end).__name__ for end in ends) == ["NoneType", "ToolCallFinishedError"]
        with pytest.raises(errors.ToolCallFinishedError):
            await one.deny_tool_calls("t", no)  # "c49" is decided already, so the whole request is refused
        await one.deny_tool_calls("t", no[1:])
        await finished(one, "t")
        outputs = [part.get("output") for part in await tool_parts(one, "t")]
        assert outputs == [f"paid {n}" for n in range(50)] + [None] * 6
    assert sorted(paid) == list(range(50))


async def test_14_an_answer_survives_a_reload(path: Path, tmp_path: Path) -> None:
    """Text that a reader saw before the server was killed is also shown to later readers."""
    plan = Plan(tmp_path, pace=0.02, send=("Hi",), die_at=("delta.after", 2), database=prepared(path))
    async with Runtime(plan.url, work=False) as watching:
        page = define_internal_agent_api(watching, make_agent(plan.effects, 0))
        await page.create_thread(thread_id=plan.thread_id)
        async with Follower(page, plan.thread_id) as open_tab:
            assert await asyncio.to_thread(run, plan) == KILLED
            async with Follower(page, plan.thread_id) as reloaded:
                await open_tab.until(lambda _: open_tab.text.startswith("Step 0 "))
                await reloaded.until(lambda _: reloaded.text == open_tab.text)
                async with Runtime(plan.url) as restarted:
                    api = define_internal_agent_api(restarted, make_agent(plan.effects, 0))
                    await finished(api, plan.thread_id)
                for tab in (open_tab, reloaded):
                    await tab.agrees()
                    assert tab.text.endswith("The end of Hi.")


async def test_18_a_step_that_kills_its_process_each_time_fails(tmp_path: Path) -> None:
    """A step that killed three processes fails its thread, with an error that says so."""
    prepare(tmp_path / "agents.db")
    plan = Plan(tmp_path, pace=0, send=("poison once more",))
    assert [run(plan) for _ in range(4)] == [KILLED] * 3 + [0]
    async with Runtime(plan.url, work=False) as runtime:
        api = define_internal_agent_api(runtime, make_agent(plan.effects, 0))
        sealed = await api.get_thread(plan.thread_id)
        assert sealed is not None
        assert (sealed.status, sealed.error_kind) == ("failed", "PoisonedStepError")
        assert "process ended 3 times" in (sealed.error or "")
        assert (await texts(api, plan.thread_id))[0] == "poison once more"
