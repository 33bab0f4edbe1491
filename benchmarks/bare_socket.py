"""Socket.IO server that only sends a fixed text to each client at a fixed rate."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import psutil
import socketio
from granian.constants import Interfaces
from granian.server import Server

from tests.support.browser.server import free_port_pair

_RATE, _LENGTH = float(os.environ.get("BARE_RATE", "10")), int(os.environ.get("BARE_LENGTH", "100"))

sio = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*")
app = socketio.ASGIApp(sio)


@sio.event
async def connect(sid: str, environ: dict[str, Any]) -> None:
    """Start sending to a newly connected client."""
    sio.start_background_task(_send, sid)


async def _send(sid: str) -> None:
    text = "x" * (_LENGTH - len('42["event",""]'))
    while sio.manager.is_connected(sid, "/"):
        await sio.emit("event", text, to=sid)
        await asyncio.sleep(1 / _RATE)


@contextlib.contextmanager
def serving(rate: float, length: int) -> Iterator[tuple[str, list[psutil.Process]]]:
    """Serve messages of `length` characters, `rate` a second to each client, from separate processes.

    Yields:
        the address of its socket, and its processes.
    """
    port = free_port_pair()
    environment = os.environ | {"BARE_RATE": str(rate), "BARE_LENGTH": str(length)}
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.bare_socket", str(port)], env=environment)
    try:
        _wait(f"http://127.0.0.1:{port}/socket.io/?EIO=4&transport=polling")
        first = psutil.Process(process.pid)
        url = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
        yield url, [first, *first.children(recursive=True)]
    finally:
        process.terminate()
        process.wait()


def _wait(url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        assert time.monotonic() < deadline, "the bare server did not start"
        time.sleep(0.1)


if __name__ == "__main__":
    Server(
        "benchmarks.bare_socket:app", port=int(sys.argv[1]), interface=Interfaces.ASGI, log_enabled=False
    ).serve()
