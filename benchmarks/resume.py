"""Time from a restart, after `kill -9` in the middle of an answer, to the first new token.

A child process runs the real runtime with a model that never ends. It is killed once its words are in the
database and started again; the clock stops at the first delta of the new attempt.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent_core import Agent, Runtime, define_agent_api
from agent_core.testing import ScriptedModel
from benchmarks.report import heading, row

TIMES = 5


def endless(_messages: list[dict[str, Any]]) -> Iterator[Any]:
    """Stream twenty words a second for ever."""
    return itertools.cycle(["word ", 0.05])


async def work(database: str) -> None:
    """Run the runtime until killed, printing when it is up and when each new token comes."""
    async with Runtime(database_url=f"sqlite:///{database}") as runtime:
        api = define_agent_api(runtime, Agent(name="bench", model=ScriptedModel(endless)))
        print("up", time.time(), flush=True)
        threads = await api.list_threads()
        thread = threads[0] if threads else await api.create_thread("Go.")
        before: int | None = thread.seq if threads else None
        async for update in api.subscribe(thread.id):
            if any(chunk["type"] == "text-delta" for chunk in update.chunks) and update.seq != before:
                print("token", time.time(), flush=True)


def start(database: Path) -> subprocess.Popen[str]:
    """Start a worker on `database`."""
    command = [sys.executable, "-m", "benchmarks.resume", "worker", str(database)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def heard(worker: subprocess.Popen[str], word: str) -> float:
    """Wait until the worker prints `word`; return the time printed with it."""
    assert worker.stdout is not None
    for line in worker.stdout:
        said, moment = line.split()
        if said == word:
            return float(moment)
    raise RuntimeError(f"The worker ended without saying {word!r}.")


@contextlib.contextmanager
def killed_afterwards(worker: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Send SIGKILL at the end of the block."""
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()


def once() -> tuple[float, float]:
    """Return the seconds to the first token, from the start of the process and from its readiness."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder, "agents.db")
        with killed_afterwards(start(database)) as worker:
            heard(worker, "token")  # read from the rows, so it is durable
        began = time.time()
        with killed_afterwards(start(database)) as worker:
            up = heard(worker, "up")
            token = heard(worker, "token")
        return token - began, token - up


def main() -> None:
    """Print the medians."""
    if sys.argv[1:2] == ["worker"]:
        asyncio.run(work(sys.argv[2]))
        return
    heading("kill -9 in the middle of an answer, restart, first new token")
    samples = [once() for _ in range(TIMES)]
    row("from the start of the process", statistics.median(total for total, _ in samples), "s")
    row("from the runtime being up", statistics.median(after for _, after in samples), "s", "aim: 1 s")


if __name__ == "__main__":
    main()
