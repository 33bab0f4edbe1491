"""Soak of a tab that is never closed: it opens a thread, sends, reads the answer and opens the next one.

Run `make soak-page MINUTES=30`, which is `python -m tests.soak.page --minutes 30`. The data is as large at
the end as after the warm-up, so any growth is a leak: each thread is deleted after some turns and replaced by
a new one, and the long threads are only read. (Six threads that were written to without end made the server
grow by 32 to 42 MB an hour without a leak: the histories that the server caches, the open thread's own rows,
and memory that the allocator keeps after reading longer and longer threads whole.)
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tests.soak.page_vitals import Look, PageVerdict
from tests.soak.vitals import MB
from tests.support.browser.rows import long_thread
from tests.support.browser.server import running
from tests.support.providers.provider import Provider
from tests.tools import chromium

THREADS = 6  # written to, in turns
LIFE = 8  # turns until a thread is deleted
LONG = (60, 90)  # messages of the threads that are only read
PROMPT = "Go on"
WORDS = 60
_CHAT = re.compile(r"/chat/([^/#?]+)")


def answer(words: int, pause: float) -> list[str | float]:
    """Return the provider's answer: `words` paragraphs with `pause` seconds between them."""
    return [item for n in range(words) for item in (f"Word {n} of **an answer** with `code`.\n\n", pause)]


@dataclass
class Used:
    """Thread that is written to, with its newest message and the turns left until its deletion."""

    id: str
    last: str
    left: int


class PageSoak:
    """One tab and its actions.

    Args:
        page: tab on the app's first page.
        long: ids and titles of the threads that are only read.
        server: processes of the server, whose memory is counted.
        last: last words of every answer.
    """

    def __init__(
        self,
        page: Page,
        long: Sequence[tuple[str, str]],
        server: list[psutil.Process],
        last: str = f"Word {WORDS - 1} ",
    ) -> None:
        self.verdict = PageVerdict()
        self.rounds = 0
        self._page, self._server, self._last = page, server, last
        self._long = itertools.cycle(long)
        self._used: deque[Used] = deque()
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable")
        self._cdp.send("HeapProfiler.enable")

    def run(self, seconds: float, every: float, say: Callable[[str], Any] = print) -> PageVerdict:
        """Repeat rounds for `seconds`, and take a sample every `every` seconds."""
        began, due = time.monotonic(), 0.0
        while (at := time.monotonic() - began) < seconds:
            if at >= due:
                due = at + every
                self.look(at)
                say(str(self.verdict.looks[-1]))
            self.round()
        self.look(time.monotonic() - began)
        return self.verdict

    def round(self) -> None:
        """Send to the thread used longest ago, or create another; now and then read a long one."""
        if self.rounds % THREADS == 0:
            self._read(*next(self._long))
        if len(self._used) < THREADS:
            # The first threads get fewer turns each, so that they do not all end at once.
            self._used.append(self._begin(LIFE * (len(self._used) + 1) // THREADS))
        elif self._used[0].left > 0:
            self._used[0].left -= 1
            self._go_on(self._used[0])
            self._used.rotate(-1)
        else:
            self._delete(self._used.popleft().id)
            self._used.append(self._begin(LIFE))
        self.rounds += 1

    def _turn_to(self, thread_id: str) -> None:
        self._page.locator(f'a[href="/chat/{thread_id}"]').first.click()

    def _read(self, thread_id: str, title: str) -> None:
        self._turn_to(thread_id)
        expect(self._page.get_by_test_id("title")).to_have_text(title)
        expect(self._page.get_by_test_id("message").last).to_contain_text(f"of {title.split()[0]}.")

    def _begin(self, left: int) -> Used:
        self._page.get_by_test_id("new-chat").click()
        expect(self._page.get_by_test_id("suggestion").first).to_be_visible()
        self._send()
        expect(self._page).to_have_url(_CHAT)
        last = self._see_the_answer()
        found = _CHAT.search(self._page.url)
        assert found
        return Used(found[1], last, left)

    def _go_on(self, thread: Used) -> None:
        self._turn_to(thread.id)
        newest = self._page.get_by_test_id("message").last
        expect(newest).to_have_attribute("data-message-id", thread.last)
        self._send()
        expect(newest).not_to_have_attribute("data-message-id", thread.last)
        thread.last = self._see_the_answer()

    def _send(self) -> None:
        composer = self._page.get_by_test_id("composer")
        composer.fill(PROMPT)
        composer.press("Enter")

    def _see_the_answer(self) -> str:
        newest = self._page.get_by_test_id("message").last
        expect(newest).to_contain_text(self._last)
        expect(self._page.get_by_test_id("status")).to_have_attribute("data-status", "completed")
        return newest.get_attribute("data-message-id") or ""

    def _delete(self, thread_id: str) -> None:
        row = self._page.locator(f'[data-thread-id="{thread_id}"]')
        row.hover()
        row.get_by_test_id("thread-menu").click()
        self._page.get_by_test_id("menu-delete").click()
        expect(row).to_have_count(0)

    def look(self, at: float) -> None:
        """Take a sample on the page of a new chat, after a garbage collection."""
        self._page.get_by_test_id("new-chat").click()
        expect(self._page.get_by_test_id("suggestion").first).to_be_visible()
        for _ in range(2):  # the second one frees what finalisers of the first released
            self._cdp.send("HeapProfiler.collectGarbage")
        counted = {m["name"]: m["value"] for m in self._cdp.send("Performance.getMetrics")["metrics"]}
        heap, nodes, listeners = (counted[name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners"))
        resident = sum(process.memory_info().rss for process in self._server)
        self.verdict.looks.append(Look(at, self.rounds, heap / MB, nodes, listeners, resident / MB))


def main() -> int:
    """Start the app, run the soak and print its figures; return 1 unless usage was steady."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    seconds = parser.parse_args().minutes * 60
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, Provider() as provider:
        provider.answer(PROMPT, answer(WORDS, 0.02))
        model = {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}
        with running("prod", Path(folder), model) as server, sync_playwright() as playwright:
            long = [(long_thread(server, length), f"{length} messages") for length in LONG]
            browser = playwright.chromium.launch(
                executable_path=chromium.find() or sys.exit(chromium.MISSING), args=list(chromium.FLAGS)
            )
            page = browser.new_page()
            page.goto(server.url)

            def say(line: str) -> None:
                provider.requests.clear()  # kept for tests
                print(line, flush=True)

            soak = PageSoak(page, long, server.processes())
            verdict = soak.run(seconds, min(30.0, seconds / 20), say)
            browser.close()
    print(verdict.table())
    return 1 if verdict.complaints() else 0


if __name__ == "__main__":
    sys.exit(main())
