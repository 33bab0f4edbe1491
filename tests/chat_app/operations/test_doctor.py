"""The doctor names what is broken and what to do, changes nothing, and shows no secret."""

from __future__ import annotations

import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from agent_core.store.database.migrate import newest_schema
from agent_core.store.database.open import opened
from chat_app import command
from chat_app.database import MIGRATIONS
from chat_app.operations import storage
from chat_app.operations.doctor import diagnose
from chat_app.operations.findings import Finding
from chat_app.operations.services import check_database
from chat_app.server.preflight import require_database
from chat_app.server.settings import read_settings
from tests.agent_core.store.database.test_migrations import ROWS, make
from tests.support.browser.server import free_port_pair
from tests.tools.certificate import write_certificate
from tests.tools.postgresql import PostgreSQL


@pytest.fixture(autouse=True)
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that work; nothing that a check sets is left."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    values = {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port_pair()), "MODEL": "demo"}
    os.environ.update({f"CHAT_{name}": value for name, value in values.items()})


def found(area: str, level: str = "problem") -> str:
    """Return the only finding of an area and a level."""
    _, findings = diagnose(Path.cwd())
    (finding,) = [each for each in findings if (each.area, each.level) == (area, level)]
    return finding.text


def test_set_up_that_works_has_no_problem_and_nothing_is_made(tmp_path: Path) -> None:
    settings, findings = diagnose(tmp_path)
    assert [each for each in findings if each.level == "problem"] == []
    assert {each.name: each.source for each in settings}["CHAT_MODEL"] == "environment"
    assert not (tmp_path / "data").exists()


BROKEN = {
    "an unknown setting": ({"CHAT_PROT": "1"}, "settings", "did you mean CHAT_PORT"),
    "an invalid value": ({"CHAT_PORT": "x"}, "settings", "from 1 to 65535"),
    "no server": (
        {"CHAT_DATABASE_URL": "postgresql://ann:hunter2@127.0.0.1:1/x"},
        "database",
        "127.0.0.1",
    ),
    "no folder": ({"CHAT_DATA_DIR": f"{__file__}/data"}, "folder", "cannot be written to"),
    "no Redis": ({"CHAT_REDIS_URL": "redis://ann:hunter2@127.0.0.1:1/0"}, "redis", "correct CHAT_REDIS_URL"),
    "no model server": (
        {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "CHAT_MODEL": "openai/x"},
        "model",
        "does not answer",
    ),
    "no key": ({"CHAT_MODEL": "openai/gpt-5-mini"}, "model", "set OPENAI_API_KEY"),
    "an open door": ({"CHAT_HOST": "0.0.0.0"}, "sign-in", "nobody signs in"),
    "no extension": ({"CHAT_EXTENSIONS": "no_such_module"}, "extensions", "no_such_module"),
    "no engine's database": ({"CHAT_ENGINE": "procrastinate"}, "settings", "PostgreSQL"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_set_up_is_a_problem_that_says_what_to_do(
    case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    variables, area, words = BROKEN[case]
    os.environ.update(variables | {"ANTHROPIC_API_KEY": "hunter2"})
    with pytest.raises(SystemExit) as ended:
        command.main(["doctor", "--json"])
    assert ended.value.code == 1
    printed = capsys.readouterr().out
    assert "hunter2" not in printed
    report = json.loads(printed)
    assert report["ok"] is False
    assert [words in each["text"] for each in report["findings"] if each["level"] == "problem"] == [True]
    assert [each["area"] for each in report["findings"] if each["level"] == "problem"] == [area]


def test_damaged_database_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "agents.db").write_text("my diary")
    assert "is not a SQLite database" in found("database")
    assert (tmp_path / "data" / "agents.db").read_text() == "my diary"


def test_port_of_another_program_is_a_problem() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(os.environ["CHAT_PORT"])))
        taken.listen()
        assert "already in use" in found("port")


class _Pong(BaseHTTPRequestHandler):
    """Answers as the app does at /ping."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'"pong"')

    def log_message(self, format: str, *_: object) -> None:
        """Print nothing."""


def test_running_app_has_its_port_and_its_addresses_are_tried() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pong) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port, dead = server.server_address[1], f"http://127.0.0.1:{free_port_pair()}"
        os.environ |= {"CHAT_PORT": str(port), "CHAT_ORIGINS": f"http://localhost:{port},{dead}"}
        assert "The app runs" in found("port", "ok")
        assert f"http://localhost:{port} leads to the app" in found("address", "ok")
        assert f"{dead} does not lead to the app" in found("address")
        server.shutdown()


@pytest.fixture
def trust() -> Iterator[Callable[[Path], None]]:
    """A function that makes OpenSSL find this system's authorities in a file."""
    before = os.environ.get("SSL_CERT_FILE")
    yield lambda file: os.putenv("SSL_CERT_FILE", str(file))
    if before is None:
        os.unsetenv("SSL_CERT_FILE")
    else:
        os.putenv("SSL_CERT_FILE", before)


def test_authority_that_this_system_trusts_is_trusted(tmp_path: Path, trust: Callable[[Path], None]) -> None:
    certificate, key = write_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), _Pong) as app,
        ThreadingHTTPServer(("127.0.0.1", 0), _Pong) as proxy,
    ):
        proxy.socket = context.wrap_socket(proxy.socket, server_side=True)
        for server in (app, proxy):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{proxy.server_address[1]}"
        os.environ |= {"CHAT_PORT": str(app.server_address[1]), "CHAT_ORIGINS": address}
        assert "certificate verify failed" in found("address")
        trust(certificate)
        assert f"{address} leads to the app" in found("address", "ok")
        app.shutdown()
        proxy.shutdown()


def test_older_schema_is_a_note_and_is_not_upgraded(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    url = f"sqlite:///{tmp_path}/data/agents.db"
    with opened(url, "NORMAL") as (engine, *_):
        make(engine, "0001", ROWS)
    assert "The schema is behind: 0001" in found("schema", "note")
    assert "The schema is behind: 0001" in found("schema", "note")
    require_database(url)
    assert f"The schema is {newest_schema()}, {newest_schema(MIGRATIONS)}." == found("schema", "ok")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_processes_that_use_the_file_are_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    require_database(f"sqlite:///{tmp_path}/data/agents.db")
    hold = "import sqlite3; c = sqlite3.connect('data/agents.db'); c.execute('select 1 from agent_thread'); print(1); input()"
    with subprocess.Popen([sys.executable, "-c", hold], stdin=-1, stdout=-1, cwd=tmp_path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        _, findings = diagnose(tmp_path)
        assert Finding("database", "ok", f"In use by processes {process.pid}.") in findings
        process.kill()


def test_clock_of_the_server_is_compared(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgresql.url()
    settings = read_settings({"CHAT_DATABASE_URL": url})
    assert "clock" not in [each.area for each in check_database(settings)]
    late = SimpleNamespace(time=lambda: time.time() - 60)
    monkeypatch.setattr("agent_core.monitoring.database_report.time", late)
    (clock,) = [each for each in check_database(settings) if each.area == "clock"]
    assert "60 s ahead of this machine's" in clock.text


@pytest.mark.parametrize(("free", "level"), [(1 << 40, "ok"), (500 << 20, "note"), (1 << 20, "problem")])
def test_disk_without_room_is_a_problem(free: int, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage: Callable[[Path], SimpleNamespace] = lambda _: SimpleNamespace(free=free)  # noqa: E731
    monkeypatch.setattr(shutil, "disk_usage", usage)
    (finding,) = storage.check_folders(read_settings(os.environ))
    assert finding.level == level


def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    yield from capsys.readouterr().out.splitlines()


def test_report_for_people_ends_with_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["doctor"])
    printed = list(lines(capsys))
    assert (ended.value.code, printed[0], printed[-1]) == (0, "Settings", "No problems.")
    os.environ["CHAT_PORT"] = "x"
    with pytest.raises(SystemExit) as ended:
        command.main(["doctor"])
    assert (ended.value.code, list(lines(capsys))[-1]) == (1, "1 problem.")
