"""Processes of version N-1 and of version N on one database, while one after the other is replaced.

Version N is a copy of this one with another migration, which also writes a wake-up of a kind that N-1 does not know.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from agent_core import AgentApi, Runtime, define_internal_agent_api
from agent_core.store.database.open import opened
from agent_core.testing import eventually
from tests.support.agents import finished, texts
from tests.support.databases import prepare, url
from tests.support.processes.commands import ROOT, running
from tests.support.processes.worker_agents import QUICK_ANSWER, SLOW_ANSWER, agent_of

BUILD = "tests.support.processes.worker_agents:build"
VERSIONS = Path("agent_core", "store", "migrations", "versions")
MIGRATION = """
import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{head}"


def upgrade():
    for table in ("agent_thread", "agent_message", "agent_wake_up", "agent_worker"):
        op.add_column(table, sa.Column("mood", sa.String(), server_default="calm", nullable=False))
    op.create_table("agent_next", sa.Column("id", sa.String(), primary_key=True))
    op.execute("insert into agent_wake_up (id, kind, thread_id, next_run_time) values ('dream:t', 'dream', 't', 0)")
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """The folder of a copy of the package whose schema is newer."""
    folder = tmp_path / "next"
    shutil.copytree(ROOT / "agent_core", folder / "agent_core")  # with what Python has compiled
    head = max(file.name[:4] for file in (ROOT / VERSIONS).glob("[0-9]*.py"))
    (folder / VERSIONS / "9001_next.py").write_text(MIGRATION.format(head=head))
    return folder


@asynccontextmanager
async def this_version(path: Path) -> AsyncGenerator[tuple[Runtime, AgentApi]]:
    """A worker of version N-1, in this process."""
    async with Runtime(url(path)) as runtime:
        yield runtime, define_internal_agent_api(runtime, agent_of(path.parent))


async def answers_of(api: AgentApi, processes: set[int]) -> list[str]:
    """Begin threads until every process has answered one; return their ids."""
    threads: list[str] = []
    missing = {f"Answer of {pid}." for pid in processes}
    while missing:
        assert len(threads) < 60, missing
        begun = [(await api.create_thread(QUICK_ANSWER)).id for _ in range(4)]
        for thread_id in begun:
            await finished(api, thread_id, 60)
            missing.discard((await texts(api, thread_id))[-1])
        threads += begun
    return threads


async def test_both_versions_start_and_run_turns_on_the_newer_schema(
    path: Path, next_version: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    command = ("agent_core", "worker", BUILD, "--database", url(prepare(path)))
    async with this_version(path) as (runtime, old):
        during = await old.create_thread(SLOW_ANSWER)  # runs while the schema changes
        await eventually((path.parent / "runs").exists, 60)
        with running(*command, folder=next_version, GATES=path.parent, PYTHONPATH=ROOT) as new:
            await new.says("runs assistant on")
            async with this_version(path) as (_, later):
                assert "has schema 9001, newer than this version's" in caplog.text
                threads = await answers_of(later, {os.getpid(), new.pid})
            (path.parent / "go").touch()
            await finished(old, during, 60)
            assert await texts(old, during.id) == [SLOW_ANSWER, f"Begin. Answer of {os.getpid()}."]
            await runtime.drain(0)
            for thread_id in threads:  # N goes on where N-1 wrote
                await old.send_message(thread_id, QUICK_ANSWER)
            for thread_id in threads:
                await finished(old, thread_id, 60)
                said = await texts(old, thread_id)
                assert (len(said), said[-1]) == (4, f"Answer of {new.pid}.")
    with opened(url(path), "NORMAL") as (engine, *_), engine.connect() as connection:
        found = connection.execute(text("select mood, count(*) from agent_thread group by mood")).all()
        of_next = connection.execute(text("select worker from agent_wake_up where kind = 'dream'")).all()
    assert [tuple(row) for row in found] == [("calm", len(threads) + 1)]
    assert [tuple(row) for row in of_next] == [(None,)], "it is left to those that know it"
    assert [each.getMessage() for each in caplog.records if each.levelno > logging.WARNING] == []
