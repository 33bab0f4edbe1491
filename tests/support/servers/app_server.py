"""The app's server without its pages: the real web process and lifespan, with the interfaces for programs.

A test starts it as a process, because it kills it or asks it to stop. The demo model answers `hold: …` slowly.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
from starlette.applications import Starlette

from agent_core.http import BodyRest
from agent_core.testing import eventually
from chat_app.api.mount import routes
from chat_app.session.service import lifespan
from chat_app.web.stopping import EndAtStop
from tests.support.app_databases import app_database
from tests.support.browser.server import ROOT, free_port_pair
from tests.support.processes import lifeline


@contextlib.asynccontextmanager
async def _lifespan(_: Starlette) -> AsyncGenerator[None]:
    async with lifespan():
        yield


def app() -> EndAtStop:
    """Return the app that a web process serves."""
    return EndAtStop(BodyRest(Starlette(routes=routes.routes, lifespan=_lifespan)))


class AppServer:
    """A server process on a port and a database of its own; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port_pair()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        self._folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        app_database(self._folder)
        environment = os.environ | {
            "CHAT_DATA_DIR": str(self._folder),
            "CHAT_MODEL": "demo",
            "CHAT_GRACE": "1",
        }
        with self.log.open("ab") as log:
            self.process = lifeline.start(
                [sys.executable, "-m", "tests.support.servers.app_server", str(self.port)],
                **{"cwd": ROOT, "env": environment, "stdout": log, "stderr": log},
            )
        await eventually(self._answers, 90)

    async def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        async with httpx.AsyncClient(trust_env=False) as client:
            with contextlib.suppress(httpx.TransportError):
                return (await client.get(f"{self.url}/api/threads")).is_success
        return False

    def kill(self) -> None:
        """Kill it with its web process, as a power cut does."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            lifeline.ended(self.process)
            self.process = None


@contextlib.asynccontextmanager
async def app_server(folder: Path) -> AsyncGenerator[AppServer]:
    """Run a server for a block."""
    server = AppServer(folder)
    try:
        await server.start()
        yield server
    finally:
        server.kill()


def main(port: int) -> None:
    """Serve until a signal ends the process, as `chat_app.server.processes.serve` does."""
    from granian.constants import Interfaces
    from granian.log import LogLevels

    from chat_app.server.workers import RespawningServer

    target = "tests.support.servers.app_server:app"
    options = {"factory": True, "interface": Interfaces.ASGI, "log_level": LogLevels.warning}
    RespawningServer(target, address="127.0.0.1", port=port, **options).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]))
