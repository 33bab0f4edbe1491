"""The pages in Node and the server in its process, as the tests hold them."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import json
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx

from agent_core.testing import eventually
from tests.providers.installed import client_packages

HERE = Path(__file__).parent
PATIENCE = 60.0


class Server:
    """The server's process.

    Args:
        folder: where its database is, and the files that let its model go on.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.AsyncClient(base_url=f"{self.url}/agents", trust_env=False, timeout=PATIENCE)
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [sys.executable, "-m", "tests.providers.clients.server", str(self.folder), str(self.port)]
        self._process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL)

        async def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await self.client.get("/threads")).status_code == 200
            return False

        await eventually(answers, timeout=PATIENCE)

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it, by default without a chance to do anything."""
        assert self._process is not None
        os.kill(self._process.pid, how)
        await self._process.wait()

    def let_go(self, gate: str) -> None:
        """Let the model go on with what is held there."""
        (self.folder / gate).touch()

    async def shown(self, thread_id: str) -> dict[str, Any]:
        """Return what `GET /chat/{id}` gives."""
        return (await self.client.get(f"/chat/{thread_id}")).json()


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[Server]:
    """Run the server; it is ended by SIGKILL, for it has nothing to lose."""
    server = Server(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
        await server.client.aclose()


class Pages:
    """All pages of all clients, in one process: what persons do in them, and what they show."""

    def __init__(self, process: Process) -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._out = process.stdin, process.stdout
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        """Hand each answer to who waits for it."""
        while line := await self._out.readline():
            answer = json.loads(line)
            self._answers.pop(answer["number"]).set_result(answer)

    async def act(self, client: str, **line: Any) -> dict[str, Any]:
        """Have a page of a client (one of `installed.CLIENTS`) do something; return what it shows then.

        Raises:
            AssertionError: the script failed.
        """
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        home = await _home(client)
        self._in.write(
            json.dumps({"number": number, "client": client, "home": home, **line}).encode() + b"\n"
        )
        answer = await asyncio.wait_for(self._answers[number], PATIENCE)
        assert "failure" not in answer, answer["failure"]
        return answer


@functools.cache
def _node(client: str) -> tuple[list[str], str]:
    node, home = client_packages(client)
    return node, str(home)


async def _home(client: str) -> str:
    return (await asyncio.to_thread(_node, client))[1]


@contextlib.asynccontextmanager
async def pages() -> AsyncGenerator[Pages]:
    """Run Node; it loads the packages of a client when its first page is opened."""
    node, _ = await asyncio.to_thread(_node, "ai-7")
    process = await asyncio.create_subprocess_exec(
        *node, str(HERE / "page.mjs"), stdin=PIPE, stdout=PIPE, limit=1 << 24
    )
    opened = Pages(process)
    listening = asyncio.create_task(opened.listen())
    try:
        yield opened
    finally:
        process.kill()
        await asyncio.gather(process.wait(), listening)
