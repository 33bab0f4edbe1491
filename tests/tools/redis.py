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
from tests.tools.debian import REDIS

TIMEOUT = 30.0  # seconds until Redis answers


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run a server on loopback, which stores nothing, for the block, and yield its URL."""
    program = REDIS.require()
    port = free_port_pair()
    with tempfile.TemporaryDirectory(prefix="redis-") as folder:
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    with Redis(port=port) as redis:
        while True:
            with contextlib.suppress(NoConnection):
                redis.ping()
                return
            assert process.poll() is None, "Redis has ended"
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.05)
