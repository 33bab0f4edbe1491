"""Test startup of the app: a problem is reported in one clear sentence, and nothing is changed."""

from __future__ import annotations

import base64
import contextlib
import gzip
import hashlib
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
from chat_app.branding import Branding
from chat_app.server import frontend, pages, processes
from chat_app.server.preflight import NotReadyError, require_database, require_port, require_redis
from chat_app.web import own_origin
from tests.support.browser.server import ROOT, free_port_pair

PAGE = """<!DOCTYPE html><html><head><link href="/__base__/a.css"><script>first()</script></head><body>
<script type="module" src="/__base__/assets/page-1.js"></script><p><script>
start("/__base__/", "<b>&amp;</b>")
</script></p></body></html>"""


def start(data: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m chat_app`, which is expected to refuse to start."""
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
    """Assert a failing exit code, and one line on stderr with these words."""
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
    assert_refused(done, f"Port {port} is already in use", "CHAT_PORT=", "make run")
    assert not (tmp_path / "agents.db").exists()


@pytest.mark.parametrize("port", ["abc", "0", "70000"])
def test_a_port_that_is_none_is_refused(tmp_path: Path, port: str) -> None:
    assert_refused(start(tmp_path, CHAT_PORT=port), "CHAT_PORT", port)


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    assert_refused(start(tmp_path, CHAT_HOST="192.0.2.1"), "192.0.2.1", "CHAT_HOST=127.0.0.1")


@pytest.mark.parametrize("host", ["no such name", "a" * 70, "two..dots"])
def test_name_that_no_machine_can_have_is_refused(host: str) -> None:
    with pytest.raises(NotReadyError, match="cannot listen on"):
        require_port(host, 3999)


@pytest.mark.parametrize(
    "url", ["postgresql://a:secret@h:port/x", "postgresql://[::1/x", "sqlite://agents.db", "nothing"]
)
def test_address_that_is_no_database_is_refused_in_one_sentence(url: str) -> None:
    with pytest.raises(NotReadyError, match="not a database URL; write sqlite:///") as caught:
        require_database(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("query", ["", "?socket_timeout=soon"])
def test_redis_that_cannot_be_used_is_named_without_its_password(query: str) -> None:
    address = f"redis://127.0.0.1:{free_port_pair()}/0"
    url = address.replace("//", "//ann:secret@") + query
    with pytest.raises(NotReadyError, match=re.escape(f"Redis at {address} cannot be used (")) as caught:
        require_redis(url)
    assert "CHAT_REDIS_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_file_that_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
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
        processes.supervise(tmp_path / "new", supervisor="no_such_supervisor")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project with built pages, in place of the real one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REFLEX_WEB_WORKDIR", ".web")
    for path, text in {
        "chat_app/page.py": "one",
        ".web/backend/stateful_pages.json": "[]",
        ".web/build/client/__base__/index.html": PAGE,
        ".web/build/client/__base__/assets/page-1.js": 'import("/__base__/assets/same-1.js")',
        ".web/build/client/__base__/assets/same-1.js": "same",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for name in ("page-1.js", "same-1.js"):
        script = frontend.built_pages() / "assets" / name
        script.with_name(f"{name}.gz").write_bytes(gzip.compress(script.read_bytes()))
    (tmp_path / ".web" / "fingerprint").write_text(frontend.fingerprint())
    return tmp_path


def test_pages_are_current_until_a_source_changes(sources: Path) -> None:
    assert frontend.is_current()
    (sources / "chat_app" / "page.py").write_text("two")
    assert not frontend.is_current()
    (sources / "chat_app" / "page.py").write_text("one")
    assert frontend.is_current()
    (sources / "chat_app" / "new.jsx").touch()
    assert not frontend.is_current()


def test_files_that_python_and_reflex_leave_behind_are_no_change(sources: Path) -> None:
    for leftover in ("chat_app/__pycache__/page.pyc", "assets/external/stream.jsx"):
        path = sources / leftover
        path.parent.mkdir(parents=True)
        path.touch()
    assert frontend.is_current()


def read(folder: Path, name: str) -> str:
    """Return the served content of a file, after checking that its compressed form is equal."""
    file = folder / "build" / "client" / name
    compressed = file.with_name(f"{file.name}.gz")
    assert not compressed.exists() or gzip.decompress(compressed.read_bytes()) == file.read_bytes()
    return file.read_text()


def test_a_build_is_placed_below_any_path(sources: Path) -> None:
    at_root, below = pages.place(""), pages.place("/agents/chat")
    assert read(at_root, "assets/page-1.js") == 'import("/assets/same-1.js")'
    assert read(below, "assets/page-1.js") == 'import("/agents/chat/assets/same-1.js")'
    assert read(at_root, "assets/same-1.js") == read(below, "assets/same-1.js") == "same"
    assert (below / "build" / "client" / "assets" / "same-1.js.gz").exists()
    assert (below / "backend" / "stateful_pages.json").read_text() == "[]"


def test_placed_pages_have_name_logo_and_accent_and_scripts_of_their_own_names(
    sources: Path, tmp_path: Path
) -> None:
    """Browsers keep scripts for ever, so one with another name in it has another address."""
    script = frontend.built_pages() / "assets" / "page-1.js"
    script.write_text('import("./same-1.js");brand("__app_name__","__app_logo__","__dark_accent__")')
    script.with_name("page-1.js.gz").write_bytes(gzip.compress(script.read_bytes()))
    (frontend.built_pages() / "favicon.svg").write_text('<svg fill="#3f5bd8"/>')
    own, logo = pages.place("/a"), tmp_path / "acme.svg"
    logo.write_text("<svg/>")
    assert read(own, "assets/page-1.js").endswith('brand("Durable Agents","/a/favicon.svg","#8ea2ff")')
    acme = Branding("Frag’ Acme", "#000000", logo)
    placed = pages.place("/a", acme)
    assert placed != own
    assert pages.place("/a", acme) == placed
    (name,) = [path.name for path in (placed / "build" / "client" / "assets").glob("page-1.*.js")]
    key = name.split(".")[1]
    assert read(placed, f"assets/{name}").startswith(
        f'import("./same-1.{key}.js");brand("Frag’ Acme","/a/logo.svg",'
    )
    assert f"page-1.{key}.js" in read(placed, "index.html")
    assert read(placed, "logo.svg") == "<svg/>"
    assert read(placed, "favicon.svg") == '<svg fill="#000000"/>'


def test_pages_of_a_folder_that_cannot_be_written_are_placed_in_a_temporary_one(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    placed = pages.place("/agents")
    assert not placed.is_relative_to(sources)
    assert read(placed, "assets/page-1.js") == 'import("/agents/assets/same-1.js")'
    shutil.rmtree(placed.parent)


def test_placed_pages_stay_until_the_next_build(sources: Path) -> None:
    folder = pages.place("")
    placed = (folder / "build" / "client" / "index.html").stat().st_ino
    assert pages.place("") == folder
    assert (folder / "build" / "client" / "index.html").stat().st_ino == placed
    (frontend.built_pages() / "assets" / "page-2.js").write_text("new")
    (frontend.built_pages() / "assets" / "page-1.js").unlink()
    (sources / ".web" / "fingerprint").write_text("another build")
    (folder.with_name("+.new")).mkdir()  # left by a killed process
    assert pages.place("") == folder
    assert not (folder / "build" / "client" / "assets" / "page-1.js").exists()
    assert read(folder, "assets/page-2.js") == "new"
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_content_policy_names_the_scripts_in_the_pages_and_no_others(sources: Path) -> None:
    policy = pages.content_policy(pages.place("/agents") / "build" / "client")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    hashes = {
        f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'"
        for script in (b'\nstart("/agents/", "<b>&amp;</b>")\n', b"first()")
    }
    assert set(rules["script-src"].split()) == {"'self'", *hashes}
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == "'none'"
    assert "unsafe-eval" not in policy


def test_pages_are_built_by_one_process_at_a_time(sources: Path) -> None:
    program = "from chat_app.server import frontend\nwith frontend.alone(): print('in', flush=True)"
    with frontend.alone():
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        other = subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
        )
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(1.0)
    assert other.communicate()[0] == "in\n"


def test_script_that_asks_its_own_origin_is_made_once_and_only_of_what_is_known() -> None:
    script = f"{own_origin.ADDRESS_FUNCTION}\n  return old;\n}};\n{own_origin.CONNECT_LINE}}});\n"
    changed = own_origin.use_own_origin(script)
    assert "window.location.origin" in changed
    assert own_origin.CONNECT_LINE_WITH_PATH in changed
    assert own_origin.use_own_origin(changed) == changed
    for unknown in (
        "",
        own_origin.ADDRESS_FUNCTION,
        own_origin.CONNECT_LINE,
        script + script,
        script.replace("url_str", "url"),
    ):
        with pytest.raises(ValueError, match="own_origin"):
            own_origin.use_own_origin(unknown)


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


async def test_a_forked_worker_dies_with_its_killed_supervisor() -> None:
    program = (
        "import os, time\n"
        "from chat_app.server import processes\n"
        "processes.tie_forks()\n"
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


def test_a_worker_does_not_collect_the_garbage_of_what_it_shares_with_its_parent() -> None:
    program = (
        "import gc, os\n"
        "from chat_app.server import processes\n"
        "processes.collect_after_fork()\n"
        "before = gc.isenabled()\n"
        "child = os.fork()\n"
        "found = before, gc.isenabled(), len(gc.get_objects()) < gc.get_freeze_count()\n"
        "os.write(1, f'{found}\\n'.encode())\n"
        "if child: os.waitpid(child, 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["(False, True, True)"] * 2


def is_alive(pid: int) -> bool:
    """Return whether a process runs; zombies do not count."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"
