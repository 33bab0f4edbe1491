"""The whole app in a process of its own, started as `make run` or `make dev` start it."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import psutil

Mode = Literal["prod", "dev"]

ROOT = Path(__file__).resolve().parents[3]
START = {"prod": 400.0, "dev": 400.0}  # seconds; both build the pages the first time
INHERITED = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "HTTPS_PROXY",
    "NO_PROXY",
)


class Server:
    """One app on a port, a data folder and a build folder of its own.

    Args:
        mode: "prod" is what `make run` serves, "dev" what `make dev` does.
        folder: where the build, the data and the log go.
        environment: further variables, such as CHAT_MODEL.
        root: the checkout.
    """

    def __init__(self, mode: Mode, folder: Path, environment: dict[str, str], root: Path = ROOT) -> None:
        self.root = root
        self.mode = mode
        self.port = free_port_pair()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self.web = folder / "web"
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {
            "CHAT_HOST": "127.0.0.1",
            "CHAT_PORT": str(self.port),
            "CHAT_DATA_DIR": str(self.data),
            "REFLEX_WEB_WORKDIR": str(self.web),
        }
        self._environment = kept | own | environment

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "agents.db"

    def routes(self) -> list[str]:
        """Return the routes of its pages, as Reflex has built them: `index`, `chat/[thread_id]`, …"""
        return json.loads((self.web / "routes.json").read_text())

    def processes(self) -> list[psutil.Process]:
        """Return the processes that serve it."""
        assert self._process is not None, "it does not run"
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def start(self, *, supervised: bool = False) -> None:
        """Start it and wait until it answers; `supervised` as `make demo` does.

        Raises:
            AssertionError: it ended, or did not answer in time; its log is in the message.
        """
        how = ["--demo"] if supervised else ["--dev"] if self.mode == "dev" else []
        command = [sys.executable, "-m", "chat_app", *how]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.root, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + START[self.mode]
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"The server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL, without warning.

        In production only the process that `make run` started is killed: that must be enough.
        """
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self.mode == "prod":
                os.kill(self._process.pid, signal.SIGKILL)
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it as Ctrl+C would, and whatever is left of it by force."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None

    @contextlib.contextmanager
    def under_supervisor(self) -> Iterator[None]:
        """Serve the same pages and data for a block as `make demo` does; afterwards as before."""
        self.stop()
        try:
            self.start(supervised=True)
            yield
        finally:
            self.stop()
            self.start()

    @contextlib.contextmanager
    def changed(self, **environment: str) -> Iterator[None]:
        """Serve the same pages and data for a block with these variables, too; afterwards as before."""
        before = self._environment
        self.kill()
        try:
            self._environment = before | environment
            self.start()
            yield
        finally:
            self.kill()
            self._environment = before
            self.start()

    def _answers(self) -> bool:
        backend = self.port + 1 if self.mode == "dev" else self.port
        return _is_up(f"http://127.0.0.1:{backend}/ping") and _is_up(self.url)


def _is_up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def free_port_pair() -> int:
    """Return a port that is free and whose neighbour is: the development server takes two.

    Between now and the server's start nobody may take them: they lie below the ports that systems
    give to outgoing connections, and the dice are not those that hypothesis sets back.
    """
    while True:
        port = 20_000 + 2 * secrets.randbelow(6_000)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


@contextlib.contextmanager
def running(mode: Mode, folder: Path, environment: dict[str, str], root: Path = ROOT) -> Iterator[Server]:
    """Start a server for a block; its build and data are deleted afterwards."""
    server = Server(mode, folder, environment, root)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder / "web", ignore_errors=True)
