"""Test that the soak of a tab finds leaks, both in the page and in the server's processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.soak import page as soak_page
from tests.soak.page import PROMPT, PageSoak, answer
from tests.soak.page_vitals import ENOUGH, LIMITS
from tests.support.browser.chat import Chat, in_production
from tests.support.browser.rows import long_thread
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

LOOKS = 2 * ENOUGH
KEEP = """() => {
  const kept = (window.kept ??= []);
  const node = document.createElement("div");
  node.append(...Array.from({ length: 200 }, () => document.createElement("b")));
  for (const child of node.children) child.addEventListener("click", () => kept);
  kept.push(node, Array.from({ length: 20_000 }, (_, n) => ({ n })));
}"""
GROWS = """
import sys
kept = []
for line in sys.stdin:
    kept.append(bytearray(b"1") * (1 << 21))
    print(len(kept), flush=True)
"""


class Growing:
    """A process that allocates two megabytes on request and keeps them."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = psutil.Process(process.pid)
        self._told, self._done = process.stdin, process.stdout

    def keep(self) -> None:
        """Let the process allocate more, and wait until it is done."""
        assert self._told
        assert self._done
        self._told.write("\n")
        self._told.flush()
        assert self._done.readline()


@pytest.fixture
def grows() -> Iterator[Growing]:
    """A started `Growing` process."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", GROWS], **pipes) as process:
        yield Growing(process)
        process.kill()


@in_production
def test_leaks_of_a_page_and_a_server_are_found(
    server: Server,
    provider: Provider,
    open_tab: Callable[..., Chat],
    grows: Growing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soak_page, "THREADS", 2)
    monkeypatch.setattr(soak_page, "LIFE", 1)
    provider.answer(PROMPT, answer(3, 0.01))
    long = [(long_thread(server, 20), "20 messages")]
    tab = open_tab()
    soak = PageSoak(tab.page, long, [*server.processes(), grows.process], last="Word 2 ")
    for _ in range(5):  # begins two threads, then writes to each, deletes it and begins another
        soak.round()
    for second in range(LOOKS):
        tab.page.evaluate(KEEP)
        grows.keep()
        soak.look(second)
    complaints = soak.verdict.complaints()
    assert [complaint.split()[0] for complaint in complaints] == list(LIMITS), soak.verdict.table()
