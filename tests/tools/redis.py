"""Run a real Redis server for tests; `python -m tests.tools.redis` finds it, or installs it through apt."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

from redis import Redis
from redis.exceptions import ConnectionError as NoConnection

from tests.support.browser.server import free_port_pair

MISSING = (
    "No redis-server was found and none could be installed, so the tests of several web processes CANNOT RUN."
)
TIMEOUT = 30.0  # seconds until Redis answers


def find() -> str | None:
    """Return the path of redis-server, or None."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def install() -> str | None:
    """Install Debian's redis-server, as root, without starting its service; return its path, or None."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        apt = ["apt-get", "-qq", "-y"]
        for command in ([*apt, "update"], [*apt, "install", "--no-install-recommends", "redis-server"]):
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
                subprocess.run(command, env=environment, timeout=600, stdin=subprocess.DEVNULL, check=False)
    return find()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Run a server on loopback, which stores nothing, for the block, and yield its URL."""
    program = find()
    assert program is not None, MISSING
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


def main() -> None:
    """Print which Redis the tests will use; never fail, because tests report what they skip."""
    path = find() or install()
    print(f"The tests of several web processes use {path}" if path else MISSING)


if __name__ == "__main__":
    main()
