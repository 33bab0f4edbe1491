"""Stop a process without letting it keep a lock."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
from pathlib import Path

from tests.support.databases import url


def put_to_sleep(pid: int | None, path: Path) -> None:
    """Stop a process while it does not hold SQLite's write lock, which would block all others.

    PostgreSQL ends the transaction of a process that sleeps in it.
    """
    assert pid is not None
    if not url(path).startswith("sqlite"):
        os.kill(pid, signal.SIGSTOP)
        return
    # Holding the lock proves that the process does not; the signal alone may take effect a moment later.
    with contextlib.closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        os.kill(pid, signal.SIGSTOP)
        while any(status not in "tT" for status in states(pid)):
            time.sleep(0.01)
        connection.execute("rollback")


def states(pid: int) -> list[str]:
    """Return the states of a process's threads, as Linux names them."""
    tasks = Path(f"/proc/{pid}/task").glob("*/stat")
    return [task.read_text().rpartition(")")[2].split()[0] for task in tasks]
