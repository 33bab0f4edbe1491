"""Processes started from the command line, for tests that send them signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

from agent_core.testing import eventually
from tests.support.processes import lifeline

ROOT = Path(__file__).resolve().parents[3]


class Command:
    """A running `python -m …`; what it prints is read as it comes.

    Args:
        folder: where it runs, and where Python looks for its modules first.
    """

    def __init__(
        self, *arguments: str, folder: Path = ROOT, environment: dict[str, str] | None = None
    ) -> None:
        self._process = lifeline.start(
            [sys.executable, "-m", *arguments],
            cwd=folder,
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            self._lines.extend(lines)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed so far, on standard output and standard error."""
        return "".join(self._lines)

    async def says(self, words: str) -> None:
        """Wait until it has printed these words."""

        def said() -> bool:
            assert words in self.output or self._process.poll() is None, self.output
            return words in self.output

        await eventually(said, 60)

    def send(self, how: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(how)

    async def ended(self) -> int:
        """Wait until it has ended; return its exit code."""
        await eventually(lambda: self._process.poll() is not None, 60)
        self._reader.join(10)
        return self._process.returncode

    def close(self) -> None:
        """Kill it if it still runs."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        lifeline.ended(self._process)
        self._reader.join(10)


@contextlib.contextmanager
def running(*arguments: str, folder: Path = ROOT, **environment: Any) -> Generator[Command]:
    """Run `python -m` with these arguments and variables in a folder for a block."""
    texts = {name: str(value) for name, value in environment.items()}
    command = Command(*arguments, folder=folder, environment=texts)
    try:
        yield command
    finally:
        command.close()
