"""Test that workers killed at random lose nothing, do nothing twice and leave nothing running."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent_core import Runtime, define_internal_agent_api
from agent_core.domain.messages import Message, Thread
from agent_core.domain.states import ThreadStatus
from tests.chaos.harness import STORIES, Harness
from tests.chaos.hosts.hosts import Hosts
from tests.chaos.stories import Story
from tests.chaos.verdict import Verdict
from tests.chaos.world import Effects, make_agent
from tests.support.databases import prepared
from tests.tools.postgresql import PostgreSQL

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]


@pytest.mark.parametrize("engine", ["builtin", "procrastinate"])
async def test_host_that_dies_and_a_server_out_of_reach(
    engine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], postgresql: PostgreSQL
) -> None:
    """No host sees the lock files of another, and leases have their default length."""
    name = f"hosts_{engine}"
    postgresql.execute(f"create database {name}")
    harness = Hosts(tmp_path, alive=6, workers=3, poisons=0, server=postgresql, name=name, engine=engine)
    harness.seconds, harness.kill_every = 0, 2
    harness.outages, harness.outage_seconds = ["cut off"], 1
    verdict = await harness.run()
    with capsys.disabled():
        print(f"\n{verdict.table()}\n{harness.takeovers.table()}")
    assert verdict.clean, verdict.table()
    assert verdict.kills == 1
    assert not harness.stranded, harness.figures


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
async def test_three_workers_on_one_database(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    """One kill in twenty is a pause past the lease instead, after which the worker is a zombie.

    Each story is under way once at a time; `make chaos` kills longer.
    """
    harness = Harness(tmp_path, kills=24, pauses=0.05, pause=(0.15, 0.6), alive=len(STORIES))
    if database == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        server.execute("create database chaos")
        harness.database = server.url("chaos")
    verdict = await harness.run()
    with capsys.disabled():
        print(f"\n{verdict.table()}")
    assert verdict.clean, verdict.table()
    assert verdict.asked > verdict.steps, "no kill ever hit a model step"
    assert verdict.in_doubt, "no kill ever hit a tool that must not be repeated"
    assert verdict.pauses, "nobody ever slept through a lease"
    assert any(line.startswith("pay ") for line in verdict.lines), "nobody ever approved"
    assert verdict.sealed == 1, "the poison was not found"
    assert set(verdict.stories) == {"poison", *(story.name for story in STORIES)}, "a story was never lived"


async def test_worker_without_others_recovers_after_each_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No other process has the database open, so nothing tells the next worker about the orphans."""
    harness = Harness(tmp_path, kills=4, workers=1, alone=True, pause=(0.6, 1.2))
    verdict = await harness.run()
    with capsys.disabled():
        print(f"\n{verdict.table().splitlines()[0]}")
    assert verdict.clean, verdict.table()
    assert verdict.steps, "nothing was ever asked"


async def test_judge_finds_each_forged_fact(tmp_path: Path) -> None:
    effects = Effects(tmp_path / "effects")
    async with Runtime(prepared(tmp_path / "agents.db")) as runtime:
        api = define_internal_agent_api(runtime, make_agent(effects, 0))
        story = Story(api, effects, (await api.create_thread()).id, random.Random(0))
        await story.act()
        thread, messages = await api.get_thread(story.thread_id), await api.list_messages(story.thread_id)
    assert thread is not None

    def judged(lines: list[str], thread: Thread = thread, said: Sequence[Message] = messages) -> Verdict:
        verdict = Verdict()
        verdict.hear(lines)
        story.judge(verdict, thread, list(said))
        return verdict

    lines = effects.lines()
    charge = next(line for line in lines if line.startswith("charge "))
    silent = [*messages[:-1], replace(messages[-1], parts=messages[-1].parts[:-1])]
    assert judged(lines).clean
    assert judged([*lines, charge]).doubled, "a call ran twice"
    assert judged([line for line in lines if line != charge]).lost, "a call never ran"
    assert judged(lines, said=messages[:-1]).lost, "an answer is missing"
    assert judged(lines, said=silent).lost, "the last words are missing"
    assert judged(lines, replace(thread, status=ThreadStatus.STREAMING)).stuck, "the thread never ended"
