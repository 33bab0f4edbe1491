"""Handles of the pages in Node and of the server process."""

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
    """The server process.

    Args:
        folder: folder of the database and of the files that release the model.
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
        """Start the server, and wait until it answers."""
        command = [sys.executable, "-m", "tests.providers.clients.server", str(self.folder), str(self.port)]
        self._process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL)

        async def answers() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return (await self.client.get("/threads")).status_code == 200
            return False

        await eventually(answers, timeout=PATIENCE)

    async def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the server, by default with SIGKILL."""
        assert self._process is not None
        os.kill(self._process.pid, how)
        await self._process.wait()

    def let_go(self, gate: str) -> None:
        """Release the answer that the model holds at `gate`."""
        (self.folder / gate).touch()

    async def shown(self, thread_id: str) -> dict[str, Any]:
        """Return the body of `GET /chat/{id}`."""
        return (await self.client.get(f"/chat/{thread_id}")).json()


@contextlib.asynccontextmanager
async def serving(folder: Path) -> AsyncGenerator[Server]:
    """Run the server; end it with SIGKILL, because its data is not needed any more."""
    server = Server(folder)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()
        await server.client.aclose()


class Pages:
    """All pages of all clients in one Node process: forward actions, return what the pages show."""

    def __init__(self, process: Process) -> None:
        assert process.stdin
        assert process.stdout
        self._in, self._out = process.stdin, process.stdout
        self._numbers = itertools.count()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def listen(self) -> None:
        """Pass each answer to the call that waits for it."""
        while line := await self._out.readline():
            answer = json.loads(line)
            self._answers.pop(answer["number"]).set_result(answer)

    async def act(self, client: str, **line: Any) -> dict[str, Any]:
        """Have a page of a client (one of `installed.CLIENTS`) act; return what the page shows afterwards.

        Raises:
            AssertionError: the Node script failed.
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
    """Run Node, which loads a client's packages when the client's first page is opened."""
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
