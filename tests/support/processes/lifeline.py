"""Processes that end with the test run, also if it is killed and runs none of its fixtures' ends.

Each process leads a session of its own. A watch process knows these sessions from a pipe, whose other end this process
holds and no child inherits: when the pipe closes, for any reason, the watch kills what is left of them.
"""

from __future__ import annotations

import atexit
import functools
import subprocess
import sys
from collections.abc import Callable
from typing import IO, Any

_WATCH = """
import os, signal, sys
sessions = set()
for line in sys.stdin:
    sign, leader = line[0], int(line[1:])
    (sessions.add if sign == "+" else sessions.discard)(leader)
for leader in sessions:
    try:
        os.killpg(leader, signal.SIGKILL)
    except OSError:
        pass
"""


def start(command: list[str], popen: Callable[..., Any] = subprocess.Popen, **options: Any) -> Any:
    """Start a process with `popen`; `ended` is to be called when it has ended."""
    process = popen(command, start_new_session=True, **options)
    _tell(f"+{process.pid}")
    return process


def ended(process: Any) -> None:
    """Watch a process no more: its id may be another's from now on."""
    _tell(f"-{process.pid}")


def _tell(line: str) -> None:
    pipe = _watch()
    pipe.write(f"{line}\n".encode())
    pipe.flush()


@functools.cache
def _watch() -> IO[bytes]:
    command = [sys.executable, "-S", "-E", "-c", _WATCH]
    watch = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
    )
    watch.returncode = 0  # it ends after this process, and so cannot be waited for
    assert watch.stdin is not None
    atexit.register(watch.stdin.close)
    return watch.stdin
