"""The command line `python -m agent_core`: a worker that drains at a signal, and migrations."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent_core import AgentApi, Runtime, define_internal_agent_api
from agent_core.__main__ import main
from agent_core.store.database.sql import STREAM
from agent_core.testing import eventually
from tests.support.agents import finished, rows
from tests.support.databases import prepare, url
from tests.support.processes.commands import Command, running
from tests.support.processes.worker_agents import QUICK_ANSWER, SLOW_ANSWER, SLOW_TOOL, agent_of

MODULE = "tests.support.processes.worker_agents"
DRAINS = "no new work is taken"


@asynccontextmanager
async def sender(path: Path) -> AsyncGenerator[AgentApi]:
    """An API in this process, which runs no work."""
    async with Runtime(url(prepare(path)), work=False) as runtime:
        yield define_internal_agent_api(runtime, agent_of(path.parent))


@asynccontextmanager
async def worker(path: Path, *options: str, build: str = "build") -> AsyncGenerator[Command]:
    command = ("agent_core", "worker", f"{MODULE}:{build}", "--database", url(path), *options)
    with running(*command, GATES=path.parent) as process:
        await process.says("runs assistant on")
        yield process


async def begun(path: Path) -> None:
    """Wait until a slow step or tool runs."""
    await eventually((path.parent / "runs").exists, 60)


async def text(api: AgentApi, thread_id: str) -> str:
    return (await api.list_messages(thread_id))[-1].text


async def test_draining_worker_finishes_its_step_and_leaves_others_to_its_successor(path: Path) -> None:
    async with sender(path) as api, worker(path, build="build_slowly") as first:
        slow = await api.create_thread(SLOW_ANSWER)
        await begun(path)
        first.send(signal.SIGTERM)
        await first.says(DRAINS)
        later = await api.create_thread(QUICK_ANSWER)
        async with worker(path) as second:
            await finished(api, later, 60)
            assert await text(api, later.id) == f"Answer of {second.pid}."
            (path.parent / "go").touch()
            await finished(api, slow, 60)
            assert await text(api, slow.id) == f"Begin. Answer of {first.pid}."
            assert await first.ended() == 0
    assert len(rows(path, STREAM)["agent_stream"]) == 2, "each step had one attempt"
    assert "waits for a process that defines" not in first.output, "it worked before its agents were defined"


@pytest.mark.sqlite  # the signals are the same on both
@pytest.mark.parametrize(
    ("prompt", "grace", "signals"),
    [(SLOW_TOOL, "0", [signal.SIGTERM]), (SLOW_ANSWER, "3600", [signal.SIGINT, signal.SIGINT])],
)
async def test_work_that_outlasts_the_grace_is_released(
    path: Path, prompt: str, grace: str, signals: list[signal.Signals]
) -> None:
    async with sender(path) as api, worker(path, "--grace", grace) as first:
        thread = await api.create_thread(prompt)
        await begun(path)
        for each in signals:
            first.send(each)
            await first.says(DRAINS)
        assert await first.ended() == 0
        (path.parent / "go").touch()
        async with worker(path) as second:
            await finished(api, thread, 60)
            assert (await text(api, thread.id)).endswith(f"Answer of {second.pid}.")


def refused(*arguments: str) -> str:
    """Return the sentence with which a command ends."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert isinstance(caught.value.code, str)
    return caught.value.code


@pytest.mark.parametrize(
    ("build", "words"),
    [
        ("no_such_module:build", "There is no module 'no_such_module'"),
        ("no_such_package.agents:build", "There is no module 'no_such_package.agents'"),
        (f"{MODULE}.inner:build", f"There is no module '{MODULE}.inner'"),
        ("tests.support.processes.worker_agents", "must be a module and a function in it"),
        ("a-b:build", "must be a module and a function in it"),
        (f"{MODULE}:buidl", "has no function 'buidl'"),
        (f"{MODULE}:QUICK_ANSWER", "has no function 'QUICK_ANSWER'"),
        (f"{MODULE}:build_nothing", "defined no agent"),
        (f"{MODULE}:build_wrongly", "raised KeyError: 'no such key'"),
        ("odd_module:build", "Importing 'odd_module' raised ZeroDivisionError"),
        ("odd_import:build", "Importing 'odd_import' raised ModuleNotFoundError: No module named 'no_such'"),
    ],
)
def test_agents_that_cannot_be_built_end_the_worker_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, build: str, words: str
) -> None:
    (tmp_path / "odd_module.py").write_text("1 / 0")
    (tmp_path / "odd_import.py").write_text("import no_such")
    monkeypatch.syspath_prepend(tmp_path)
    assert words in refused("worker", build, "--database", f"sqlite:///{tmp_path}/agents.db")


def test_worker_says_that_its_database_is_out_of_reach() -> None:
    sentence = refused("worker", f"{MODULE}:build", "--database", "postgresql://u:secret@127.0.0.1:1/agents")
    assert "127.0.0.1" in sentence
    assert "secret" not in sentence


def test_engine_without_postgresql_is_refused() -> None:
    sentence = refused("worker", f"{MODULE}:build", "--database", "sqlite://", "--engine", "procrastinate")
    assert "works on PostgreSQL" in sentence


@pytest.mark.parametrize("options", [["--grace", "-1"], ["--grace", "x"], ["--max-parallelism", "0"]])
def test_numbers_that_mean_nothing_are_refused(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["worker", "a:b", "--database", "sqlite://", *options])
    assert options[0] in capsys.readouterr().err


@pytest.mark.sqlite  # the command only passes the URL on
def test_migrate_creates_the_schema(tmp_path: Path) -> None:
    main(["migrate", f"sqlite:///{tmp_path}/agents.db"])
    assert rows(tmp_path / "agents.db")["agent_thread"] == []


def test_url_is_taken_from_the_environment_and_named_if_there_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert "AGENT_CORE_DATABASE_URL" in refused("migrate")
    monkeypatch.setenv("AGENT_CORE_DATABASE_URL", "nothing")
    assert "not a database URL" in refused("migrate")
    assert "not a database URL" in refused("worker", f"{MODULE}:build")
