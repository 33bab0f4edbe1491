"""Starting the app: what stands in its way is one clear sentence, and nothing is touched."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent_core.testing import eventually
from chat_app.serve import demo, frontend
from chat_app.serve.preflight import NotReadyError
from tests.tools.server import ROOT, free_port_pair


def start(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m chat_app`, which is expected to refuse."""
    variables = {"CHAT_PORT": str(free_port_pair()), "CHAT_DATA_DIR": str(data), "CHAT_MODEL": "demo"}
    return subprocess.run(
        [sys.executable, "-m", "chat_app"],
        cwd=ROOT,
        env=os.environ | variables | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One line on stderr that has these words, and an exit code."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_a_taken_port_is_named_and_another_is_offered(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = start(tmp_path, CHAT_PORT=str(port))
    assert_refused(done, f"Port {port} is taken", "CHAT_PORT=", "make run")
    assert not (tmp_path / "agents.db").exists()


@pytest.mark.parametrize("port", ["abc", "0", "70000"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    assert_refused(start(tmp_path, CHAT_PORT=port), "CHAT_PORT", port)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    assert_refused(start(tmp_path, CHAT_HOST="192.0.2.1"), "192.0.2.1", "CHAT_HOST=127.0.0.1")


def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "agents.db"
    database.write_text("my diary, not a database")
    assert_refused(start(tmp_path), "agents.db", "not a SQLite database")
    assert database.read_text() == "my diary, not a database"
    assert [path.name for path in tmp_path.iterdir()] == ["agents.db"]


def test_a_database_of_a_newer_version_is_left_as_it_is(tmp_path: Path) -> None:
    database = tmp_path / "agents.db"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("create table agent_schema (version_num varchar(32) primary key)")
        connection.execute("insert into agent_schema values ('9999_from_the_future')")
        before = list(connection.iterdump())

    assert_refused(start(tmp_path), "9999_from_the_future", "newer")

    with contextlib.closing(sqlite3.connect(database)) as connection:
        assert list(connection.iterdump()) == before


def test_a_locked_database_is_named(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "agents.db", isolation_level=None)) as holder:
        holder.execute("begin exclusive")
        assert_refused(start(tmp_path), "agents.db", "locked")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_folder_that_cannot_be_written_is_named() -> None:
    assert_refused(start(Path("/proc/agents")), "/proc/agents")


def test_the_demo_runs_under_the_supervisor_that_tests_run_it_under() -> None:
    named = re.search(r"^SUPERVISOR := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named is not None
    assert f"\n{named[1]} " in (ROOT / "requirements-dev.txt").read_text()


def test_a_demo_without_its_supervisor_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="make demo"):
        demo.supervise(tmp_path / "new", supervisor="no_such_supervisor")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project in place of this one."""
    (tmp_path / "chat_app").mkdir()
    (tmp_path / "chat_app" / "page.py").write_text("one")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REFLEX_WEB_WORKDIR", ".web")
    (tmp_path / ".web" / "build" / "client").mkdir(parents=True)
    (tmp_path / ".web" / "fingerprint").write_text(frontend.fingerprint(3000))
    return tmp_path


def test_pages_are_current_until_a_source_changes(sources: Path) -> None:
    assert frontend.is_current(3000)
    (sources / "chat_app" / "page.py").write_text("two")
    assert not frontend.is_current(3000)
    (sources / "chat_app" / "page.py").write_text("one")
    assert frontend.is_current(3000)
    (sources / "chat_app" / "new.jsx").touch()
    assert not frontend.is_current(3000)


def test_what_python_and_reflex_leave_behind_is_no_change(sources: Path) -> None:
    for leftover in ("chat_app/__pycache__/page.pyc", "assets/external/stream.jsx"):
        path = sources / leftover
        path.parent.mkdir(parents=True)
        path.touch()
    assert frontend.is_current(3000)


def test_pages_built_for_another_port_are_not_current(sources: Path) -> None:
    assert not frontend.is_current(3001)


def test_the_scripts_of_earlier_pages_stay_for_a_week(tmp_path: Path) -> None:
    assets = tmp_path / "assets"
    with frontend.earlier_scripts(assets):  # the first build
        assets.mkdir()
        for name in ("page-1.js", "same-1.js", "old-0.js"):
            (assets / name).write_text(name)
    aged = time.time() - frontend.KEPT_SECONDS - 60
    os.utime(assets / "old-0.js", (aged, aged))
    for number in (2, 3):
        with frontend.earlier_scripts(assets):
            shutil.rmtree(assets)
            assets.mkdir()
            (assets / "same-1.js").write_text("as this build made it")
            (assets / f"page-{number}.js").touch()
    assert sorted(path.name for path in assets.iterdir()) == [
        "page-1.js",
        "page-2.js",
        "page-3.js",
        "same-1.js",
    ]
    assert (assets / "page-1.js").read_text() == "page-1.js"
    assert (assets / "same-1.js").read_text() == "as this build made it"


def test_two_ports_build_in_two_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = set()
    for port in (3000, 3001):
        monkeypatch.delenv("REFLEX_WEB_WORKDIR", raising=False)
        folders.add(frontend.web_directory(port))
    monkeypatch.delenv("REFLEX_WEB_WORKDIR")
    assert len(folders) == 2


async def test_a_forked_worker_dies_with_its_killed_supervisor() -> None:
    program = (
        "import os, time\n"
        "from chat_app.serve import lifeline\n"
        "lifeline.tie_forks()\n"
        "child = os.fork()\n"
        "if child: print(child, flush=True)\n"
        "time.sleep(60)\n"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    with supervisor, supervisor.stdout:
        worker = int(supervisor.stdout.readline())
        assert is_alive(worker)
        supervisor.send_signal(signal.SIGKILL)
    await eventually(lambda: not is_alive(worker))


def is_alive(pid: int) -> bool:
    """Say whether a process runs; one that only waits to be reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"
