"""The whole app in a separate process, started as by `make run` or `make dev`."""

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

from tests.support.processes import lifeline

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
    """One app with its own port, data folder and build folder.

    Args:
        mode: "prod" serves as `make run`, "dev" as `make dev`.
        folder: the folder of the data, the log and, without `pages`, the build.
        environment: further variables, such as CHAT_MODEL.
        root: the checkout.
        pages: the folder of the build, which servers of the same checkout share; the first one builds.
    """

    def __init__(
        self,
        mode: Mode,
        folder: Path,
        environment: dict[str, str],
        root: Path = ROOT,
        pages: Path | None = None,
    ) -> None:
        self.root = root
        self.mode: Mode = mode
        self.port = free_port_pair()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self.web = pages or folder / "web"
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
        self._own = {
            "CHAT_HOST": "127.0.0.1",
            "CHAT_PORT": str(self.port),
            "CHAT_DATA_DIR": str(self.data),
            "REFLEX_WEB_WORKDIR": str(self.web),
        }
        self._environment = kept | self._own | environment

    @property
    def database(self) -> Path:
        """Path of the SQLite file."""
        return self.data / "agents.db"

    def routes(self) -> list[str]:
        """Return the routes of the pages in Reflex's build: `index`, `chat/[thread_id]`, …"""
        return json.loads((self.web / "routes.json").read_text())

    def processes(self) -> list[psutil.Process]:
        """Return the processes that serve the app."""
        assert self._process is not None, "it does not run"
        first = psutil.Process(self._process.pid)
        return [first, *first.children(recursive=True)]

    def start(self, *, supervised: bool = False) -> None:
        """Start the app and wait until it answers; `supervised` starts it as `make demo` does.

        Raises:
            AssertionError: the app ended, or did not answer in time; the message contains its log.
        """
        how = ["--demo"] if supervised else ["--dev"] if self.mode == "dev" else []
        command = [sys.executable, "-m", "chat_app", *how]
        with self.log.open("ab") as log:
            self._process = process = lifeline.start(
                command, cwd=self.root, env=self._environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START[self.mode]
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"The server did not start:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill the app with SIGKILL, like a power cut.

        In production only the process started by `make run` is killed; its children must end as well.
        """
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self.mode == "prod":
                os.kill(self._process.pid, signal.SIGKILL)
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        lifeline.ended(self._process)
        self._process = None

    def stop(self) -> None:
        """Stop the app as Ctrl+C would, then kill any remaining process."""
        if self._process is None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        lifeline.ended(self._process)
        self._process = None

    def twin(self) -> Server:
        """Return another server of the same pages, with data of its own; it is not started."""
        folder = self.log.with_name(f"{self.log.stem}-{secrets.token_hex(4)}")
        folder.mkdir()
        kept = {name: value for name, value in self._environment.items() if name not in self._own}
        return Server(self.mode, folder, kept, self.root, self.web)

    @contextlib.contextmanager
    def serving(self, *, supervised: bool = False, **environment: str) -> Iterator[Server]:
        """Serve for a block, with additional variables; `supervised` as in `start`."""
        self._environment |= environment
        try:
            self.start(supervised=supervised)
            yield self
        finally:
            self.stop()

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
    """Return a free port whose next port is free as well, because the development server needs two.

    No other process should take the ports before the server starts, so they lie below the range for outgoing
    connections, and are drawn from a random generator that hypothesis does not reseed.
    """
    while True:
        port = 20_000 + 2 * secrets.randbelow(6_000)
        with contextlib.suppress(OSError), socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", port))
            second.bind(("127.0.0.1", port + 1))
            return port


@contextlib.contextmanager
def running(
    mode: Mode, folder: Path, environment: dict[str, str], root: Path = ROOT, pages: Path | None = None
) -> Iterator[Server]:
    """Run a server for a block; its own build, not one that is shared, is deleted afterwards."""
    try:
        with Server(mode, folder, environment, root, pages).serving() as server:
            yield server
    finally:
        shutil.rmtree(folder / "web", ignore_errors=True)
