"""The soak of a tab finds what is kept: in the page, and in the server's processes."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.browser.chat import Chat, in_production
from tests.browser.rows import long_thread
from tests.soak import page as soak_page
from tests.soak.page import PROMPT, PageSoak, answer
from tests.soak.page_vitals import ENOUGH, LIMITS
from tests.tools.provider import Provider
from tests.tools.server import Server

LOOKS = 2 * ENOUGH
KEPT = """() => {
  const kept = [];
  setInterval(() => {
    const node = document.createElement("div");
    node.append(...Array.from({ length: 20 }, () => document.createElement("b")));
    for (const child of node.children) child.addEventListener("click", () => kept);
    kept.push(node, Array.from({ length: 2000 }, (_, n) => ({ n })));
  }, 20);
}"""
GROWS = "import time\nkept = []\nwhile True:\n    kept.append(bytearray(1 << 18))\n    time.sleep(0.02)"


@pytest.fixture
def grows() -> Iterator[psutil.Process]:
    """Start a process that keeps whatever it makes."""
    with subprocess.Popen([sys.executable, "-c", GROWS]) as process:
        yield psutil.Process(process.pid)
        process.kill()


@in_production
def test_what_a_page_and_a_server_keep_is_found(
    server: Server,
    provider: Provider,
    open_tab: Callable[..., Chat],
    grows: psutil.Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(soak_page, "THREADS", 2)
    monkeypatch.setattr(soak_page, "LIFE", 1)
    provider.answer(PROMPT, answer(3, 0.01))
    long = [(long_thread(server, 20), "20 messages")]
    tab, began = open_tab(), time.monotonic()
    soak = PageSoak(tab.page, long, [*server.processes(), grows], last="Word 2 ")
    for _ in range(5):  # two are begun, then each is written to, deleted, and another begun
        soak.round()
    tab.page.evaluate(KEPT)
    for _ in range(LOOKS):
        soak.look(time.monotonic() - began)
    complaints = soak.verdict.complaints()
    assert [complaint.split()[0] for complaint in complaints] == list(LIMITS), soak.verdict.table()
