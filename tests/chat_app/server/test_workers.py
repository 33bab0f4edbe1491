"""Test that the server starts dead workers again, and gives up when they die too often."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from agent_core.testing import eventually
from chat_app.server.workers import MAX_DEATHS
from tests.support.browser.server import ROOT, free_port_pair

PROGRAM = """
import sys
from chat_app.server.workers import RespawningServer
RespawningServer("tests.chat_app.server.test_workers:app", port=int(sys.argv[1]), interface="asgi", workers=2).serve()
"""


async def app(scope: object, receive: object, send: object) -> None:
    """An ASGI app that answers nothing."""


@pytest.fixture
def server() -> Iterator[psutil.Popen]:
    command = [sys.executable, "-c", PROGRAM, str(free_port_pair())]
    process = psutil.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    for each in [*process.children(recursive=True), process] if process.is_running() else []:
        each.kill()
    process.wait()


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
