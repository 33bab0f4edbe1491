"""Crashes at each named point: the next process ends where an uninterrupted one would have."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

import agent_core
from agent_core import Runtime, define_internal_agent_api
from agent_core.domain.end_reasons import IN_DOUBT
from agent_core.support import faults
from agent_core.support.faults import CRASH_POINTS
from tests.chaos.worker import Plan, spawn
from tests.chaos.world import ROUNDS, make_agent

PROMPTS = ("first", "second")
AMONG_TOOLS = {"commit.after", "tool.claimed", "tool.ran", "tool.commit.inside", "tool.commit.after"}
"""Crash points at which, by the rows, this tool or its sibling may be running."""


async def _outcome(plan: Plan) -> list[Any]:
    """Return the thread as its readers see it, without values that differ between runs."""
    async with Runtime(plan.url, work=False) as runtime:
        api = define_internal_agent_api(runtime, make_agent(plan.effects, 0))
        thread = await api.get_thread(plan.thread_id)
        assert thread is not None
        messages = await api.list_messages(plan.thread_id)
        return [thread.status, thread.error, thread.retry_state, [(m.role, m.parts) for m in messages]]


def outcome(plan: Plan) -> list[Any]:
    return asyncio.run(_outcome(plan))


Outcome = tuple[list[Any], dict[str, int]]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the outcome of a run without a crash, on SQLite; the other database must give the same."""
    plan = Plan(tmp_path_factory.mktemp("whole"), pace=0.005, send=PROMPTS)
    child = spawn(plan)
    child.join(60)
    assert child.exitcode == 0
    return outcome(plan), plan.effects.count()


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_thread_goes_on_after_a_crash_at_any_point(
    point: str, tmp_path: Path, database: str, database_url: str, uninterrupted: Outcome
) -> None:
    """It is the first passage on SQLite and the second on PostgreSQL; neither database knows which one it is."""
    times = 1 if database == "sqlite" else 2
    dying = Plan(tmp_path, pace=0.005, send=PROMPTS, die_at=(point, times), database=database_url)
    child = spawn(dying)
    child.join(60)
    assert child.exitcode == -signal.SIGKILL, f"{point} was not reached {times} times"

    plan = Plan(tmp_path, pace=0.005, send=PROMPTS, database=database_url)
    child = spawn(plan)
    child.join(60)
    assert child.exitcode == 0

    result, effects = outcome(plan), plan.effects.count()
    whole, whole_effects = uninterrupted
    in_doubt = _forgive_doubt(result, whole)
    assert result == whole
    assert in_doubt <= (1 if point in AMONG_TOOLS else 0)
    for line, count in whole_effects.items():
        if line.startswith("charge"):
            assert effects.get(line, 0) == count or (in_doubt and effects.get(line, 0) == 0), line
        else:
            assert count <= effects.get(line, 0) <= count + 1, line


def _forgive_doubt(result: list[Any], whole: list[Any]) -> int:
    """Replace each doubt with the uninterrupted outcome, and return the number of doubts."""
    count = 0
    for (_, parts), (_, right) in zip(result[3], whole[3], strict=False):
        for place, part in enumerate(parts):
            if part.get("errorText") == IN_DOUBT.text and part["type"] == "tool-charge":
                parts[place] = right[place]
                count += 1
    return count


def test_the_uninterrupted_run_completes_with_every_charge(uninterrupted: Outcome) -> None:
    (status, error, retry_state, messages), effects = uninterrupted
    assert (status, error, retry_state) == ("completed", None, None)
    assert [role for role, _ in messages] == ["user", "assistant"] * len(PROMPTS)
    assert sum(count for line, count in effects.items() if line.startswith("charge")) == 2 * ROUNDS


def test_only_names_that_exist_can_be_installed() -> None:
    with pytest.raises(ValueError, match=r"claim\.before"):
        faults.install("nowhere", lambda: None)


def test_every_crash_point_is_in_the_code() -> None:
    code = "".join(path.read_text() for path in Path(agent_core.__file__).parent.rglob("*.py"))
    for name in CRASH_POINTS:
        assert f'crash_point("{name}")' in code
