"""Run a real Redis server for tests."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from tests.support.browser.server import free_port_pair
from tests.support.processes import lifeline
from tests.tools.debian import REDIS

TIMEOUT = 30.0  # seconds until Redis answers


class RedisServer:
    """Server on loopback, which stores nothing.

    Args:
        folder: its work folder.
    """

    def __init__(self, folder: str) -> None:
        self._port = free_port_pair()
        self._command = [REDIS.require(), "--port", str(self._port), "--bind", "127.0.0.1"]
        self._command += ["--save", "", "--dir", folder]
        self.url = f"redis://127.0.0.1:{self._port}/0"
        self.start()

    def start(self) -> None:
        """Start it, empty, and wait until it answers."""
        self._process = lifeline.start(self._command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + TIMEOUT
        with Redis(port=self._port) as redis:
            while True:
                with contextlib.suppress(NoConnection):
                    redis.ping()
                    return
                assert self._process.poll() is None, "Redis has ended"
                assert time.monotonic() < deadline, "Redis does not answer"
                time.sleep(0.05)

    def kill(self) -> None:
        """Kill it, with all that it holds."""
        self._process.kill()
        self._process.wait()
        lifeline.ended(self._process)


@contextlib.contextmanager
def running() -> Iterator[RedisServer]:
    """Run a server for the block."""
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        server = RedisServer(folder)
        try:
            yield server
        finally:
            server.kill()
