"""CPU of the server while a hundred tabs watch one answer being written.

A real tab opens the thread once. Its socket messages are recorded and replayed on one socket per simulated
tab, each with a different token, because a hundred Chromium tabs would need all of the machine. The floor
for comparison is a bare Socket.IO server on the same web server, which only sends as many messages of the
same length to as many clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
from playwright.sync_api import Page, WebSocket, sync_playwright

from benchmarks.bare_socket import serving
from benchmarks.report import heading, row
from tests.support.browser.server import Server, running
from tests.support.providers.provider import Provider
from tests.tools import chromium

TABS = 100
WORDS, PACE = 6_000, 0.02
SETTLE, MEASURED = 15.0, 10.0  # seconds
PING, PONG = "2", "3"  # https://socket.io/docs/v4/engine-io-protocol/


@dataclass
class Recorded:
    """Record of a tab's socket: address, token and sent messages."""

    url: str = ""
    sent: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> None:
        """Record the messages that `page` sends from now on."""

        def opened(socket: WebSocket) -> None:
            self.url = socket.url
            socket.on("framesent", lambda frame: self.sent.append(str(frame)) if frame != PONG else None)

        page.on("websocket", opened)

    def for_another(self) -> tuple[str, list[str]]:
        """Return the address and messages with another token."""
        token = re.search(r"token=([^&]+)", self.url)
        assert token, f"no token in {self.url}"
        another = str(uuid.uuid4())
        return self.url.replace(token[1], another), [each.replace(token[1], another) for each in self.sent]


@dataclass
class Received:
    """Messages received on the sockets of all tabs, and their characters."""

    messages: int = 0
    length: int = 0


async def watch(url: str, messages: list[str], received: Received) -> None:
    """Simulate one tab: send its messages, and count the received ones."""
    origin = re.sub(r"^ws(s?://[^/]+).*", r"http\1", url)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, origin=origin, max_msg_size=0) as ws,
    ):
        await ws.receive_str()
        for message in messages:
            await ws.send_str(message)
            await asyncio.sleep(0.05)
        async for message in ws:
            if message.data == PING:
                await ws.send_str(PONG)
            elif message.data:
                received.messages += 1
                received.length += len(message.data)


@contextlib.asynccontextmanager
async def watching(tabs: list[tuple[str, list[str]]]) -> AsyncIterator[Received]:
    """Keep tabs open for the block.

    Raises:
        AssertionError: a socket was closed by the server.
    """
    received = Received()
    tasks = [asyncio.create_task(watch(url, messages, received)) for url, messages in tabs]
    try:
        yield received
        closed = [task for task in tasks if task.done()]
        assert not closed, f"{len(closed)} of {len(tabs)} sockets were closed"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def cpu(processes: list[psutil.Process]) -> float:
    """Return the CPU seconds that the processes have used."""
    return sum(sum(process.cpu_times()[:2]) for process in processes)


@dataclass(frozen=True)
class Measured:
    """Figures of one run: share of a core, messages a second on each socket, characters of each message."""

    share: float
    rate: float
    length: float


async def measure(tabs: list[tuple[str, list[str]]], processes: list[psutil.Process]) -> Measured:
    """Open the tabs, wait until each follows the thread, and measure for a while."""
    async with watching(tabs) as received:
        await asyncio.sleep(SETTLE)
        before, used, begun = Received(received.messages, received.length), cpu(processes), time.monotonic()
        await asyncio.sleep(MEASURED)
        took, messages = time.monotonic() - begun, received.messages - before.messages
        share = (cpu(processes) - used) / took
        length = (received.length - before.length) / max(1, messages)
        return Measured(share, messages / took / len(tabs), length)


def recorded(server: Server) -> Recorded:
    """Start an answer in one tab; return the record of a second tab that watches it."""
    found = Recorded()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.FLAGS))
        first, second = browser.new_page(), browser.new_page()
        first.goto(server.url)
        first.get_by_test_id("composer").fill("Go")
        first.get_by_test_id("send").click()
        first.wait_for_url(re.compile("/chat/thread_"))
        found.listen(second)
        second.goto(first.url)
        second.get_by_text(re.compile(r"word1\d\d")).first.wait_for()
        browser.close()
    return found


def main(tabs: int = TABS) -> None:
    """Measure one tab, many tabs and the floor."""
    answer: list[Any] = [item for number in range(WORDS) for item in (f"word{number} ", PACE)]
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        provider.answer("Go", answer)
        environment = {
            "CHAT_MODEL": "openai/scripted",
            "OPENAI_BASE_URL": provider.url,
            "OPENAI_API_KEY": "none",
        }
        with running("prod", Path(folder), environment) as server:
            tab = recorded(server)
            alone = asyncio.run(measure([tab.for_another()], server.processes()))
            many = asyncio.run(measure([tab.for_another() for _ in range(tabs)], server.processes()))
    with serving(many.rate, round(many.length)) as (url, processes):
        floor = asyncio.run(measure([(url, ["40"])] * tabs, processes))
    heading(f"{tabs} tabs that watch one answer of 50 words a second")
    row("server, one tab", alone.share * 100, "% of a core", f"{alone.rate:.1f} messages/s")
    row(f"server, {tabs} tabs", many.share * 100, "% of a core", f"{many.rate:.1f} messages/s in each")
    row("each further tab", (many.share - alone.share) * 100 / (tabs - 1), "% of a core")
    row("bare Socket.IO, as many messages", floor.share * 100, "% of a core", f"{floor.rate:.1f} messages/s")
    row("server against that", many.share / floor.share, "×")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
