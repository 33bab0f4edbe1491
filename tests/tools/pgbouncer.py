"""Run a real PgBouncer in front of a PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.support.browser.server import free_port_pair
from tests.support.processes import lifeline
from tests.tools.debian import PGBOUNCER
from tests.tools.postgresql import PostgreSQL

TIMEOUT = 30.0  # seconds until PgBouncer answers
SETTINGS = """\
[databases]
* = host={server.folder} port={server.port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
auth_file = {folder}/users
pool_mode = {mode}
server_round_robin = {round_robin}
"""


@contextlib.contextmanager
def running(server: PostgreSQL, mode: str, *, round_robin: bool = False) -> Iterator[int]:
    """Run a PgBouncer in front of a server for the block, and yield its port.

    Args:
        server: the server.
        mode: session, transaction or statement.
        round_robin: whether it gives the session that was free the longest, not the one that became free last.
    """
    program, port = PGBOUNCER.require(), free_port_pair()
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "users").write_text('"postgres" ""\n')
        settings = folder / "settings.ini"
        settings.write_text(
            SETTINGS.format(server=server, port=port, folder=folder, mode=mode, round_robin=int(round_robin))
        )
        user = (
            ["-u", "nobody"] if os.name == "posix" and os.geteuid() == 0 else []
        )  # it refuses to run as root
        process = lifeline.start([program, "-q", *user, str(settings)], stdin=subprocess.DEVNULL)
        try:
            _wait_for(port, process)
            yield port
        finally:
            process.terminate()
            process.wait()
            lifeline.ended(process)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{port}/postgres", connect_timeout=2),
        ):
            return
        assert process.poll() is None, "PgBouncer has ended"
        assert time.monotonic() < deadline, "PgBouncer does not answer"
        time.sleep(0.05)
