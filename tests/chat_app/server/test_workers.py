"""Test that the server starts dead workers again, gives up when they die too often, and ends at a second signal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from agent_core.support.signals import received
from agent_core.testing import eventually
from chat_app.server.workers import MAX_DEATHS
from tests.support.browser.server import ROOT, free_port_pair
from tests.support.processes import lifeline

PROGRAM = """
import sys
from chat_app.server.workers import RespawningServer
RespawningServer("tests.chat_app.server.test_workers:app", port=int(sys.argv[1]), interface="asgi", workers=2).serve()
"""


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI app that answers nothing, and that drains until a second signal, as the lifespan of chat_app does."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        print("started", flush=True)
        await receive()
        with received([signal.SIGINT]) as signals:
            print("drains", flush=True)
            await signals.get()
        print("ended", flush=True)
        await send({"type": "lifespan.shutdown.complete"})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[psutil.Popen]:
    command = [sys.executable, "-c", PROGRAM, str(free_port_pair())]
    with (tmp_path / "output").open("w") as output:
        process = lifeline.start(command, psutil.Popen, cwd=ROOT, stdout=output, stderr=subprocess.DEVNULL)
    yield process
    for each in [*process.children(recursive=True), process] if process.is_running() else []:
        each.kill()
    process.wait()
    lifeline.ended(process)


async def workers(server: psutil.Popen) -> list[psutil.Process]:
    """Wait until both workers live; return them."""

    def living() -> list[psutil.Process]:
        found = [each for each in server.children() if each.status() != psutil.STATUS_ZOMBIE]
        return found if len(found) == 2 else []

    return await eventually(living, 90)  # imports take long on a busy machine


async def test_a_worker_that_dies_repeatedly_is_started_again_while_the_other_lives(
    server: psutil.Popen,
) -> None:
    survivor = (await workers(server))[1]
    for _ in range(3):
        for each in await workers(server):
            if each != survivor:
                each.kill()
                each.wait()
    assert survivor in await workers(server)


async def test_a_server_whose_workers_die_too_often_ends_with_an_error(server: psutil.Popen) -> None:
    for _ in range(MAX_DEATHS):
        worker = (await workers(server))[0]
        worker.kill()
        worker.wait()
    await eventually(lambda: server.poll() == 1, 90)


async def test_a_second_signal_to_the_server_ends_workers_that_drain(
    server: psutil.Popen, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    await eventually(lambda: output.read_text().count("started") == 2, 90)
    server.terminate()
    await eventually(lambda: output.read_text().count("drains") == 2, 90)
    assert server.poll() is None
    server.terminate()
    await eventually(lambda: server.poll() == 0, 90)
    assert output.read_text().count("ended") == 2
