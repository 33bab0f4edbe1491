"""A tab that is never closed: it turns to a thread, sends, reads the answer, turns to the next.

`python -m tests.soak.page --minutes 30`, which is `make soak-page MINUTES=30`. The threads are as long
as a page shows from the start, so that what grows is not what there is to show.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tests.browser.rows import long_thread
from tests.soak.page_vitals import Look, PageVerdict
from tests.soak.vitals import MB
from tests.tools import chromium
from tests.tools.provider import Provider
from tests.tools.server import running

THREADS, LENGTH = 6, 60
PROMPT = "Go on"
ANSWER = [item for n in range(60) for item in (f"Word {n} of **an answer** with `code`.\n\n", 0.02)]


class PageSoak:
    """One tab and what it is made to do.

    Args:
        page: a tab on the app's first page.
        threads: the ids and titles of the threads to turn to.
        server: the processes whose memory is the server's.
    """

    def __init__(self, page: Page, threads: dict[str, str], server: list[psutil.Process]) -> None:
        self.verdict = PageVerdict()
        self.rounds = 0
        self._page, self._server = page, server
        self._next = itertools.cycle(threads.items())
        self._cdp: CDPSession = page.context.new_cdp_session(page)
        self._cdp.send("Performance.enable")
        self._cdp.send("HeapProfiler.enable")

    def run(self, seconds: float, every: float, say: Callable[[str], Any]) -> PageVerdict:
        """Go on for so long, looking once in `every` seconds."""
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
        """Turn to the thread that was left longest ago, send, and see the answer written."""
        thread_id, title = next(self._next)
        self._page.locator(f'a[href="/chat/{thread_id}"]').first.click()
        expect(self._page.get_by_test_id("title")).to_have_text(title)
        status = self._page.get_by_test_id("status")
        expect(status).to_have_attribute("data-status", "completed")
        last = self._page.get_by_test_id("message").last
        before = last.get_attribute("data-message-id") or ""
        composer = self._page.get_by_test_id("composer")
        composer.fill(PROMPT)
        composer.press("Enter")
        expect(last).not_to_have_attribute("data-message-id", before)
        expect(last).to_contain_text("Word 59")
        expect(status).to_have_attribute("data-status", "completed")
        self.rounds += 1

    def look(self, at: float) -> None:
        """Collect the garbage and count what is left, on the page of a new chat."""
        self._page.get_by_test_id("new-chat").click()
        expect(self._page.get_by_test_id("suggestion").first).to_be_visible()
        for _ in range(2):  # what a finaliser lets go is found by the second
            self._cdp.send("HeapProfiler.collectGarbage")
        counted = {m["name"]: m["value"] for m in self._cdp.send("Performance.getMetrics")["metrics"]}
        heap, nodes, listeners = (counted[name] for name in ("JSHeapUsedSize", "Nodes", "JSEventListeners"))
        resident = sum(process.memory_info().rss for process in self._server)
        self.verdict.looks.append(Look(at, self.rounds, heap / MB, nodes, listeners, resident / MB))


def main() -> int:
    """Start everything, soak, print; exit 1 if it was not steady."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    seconds = parser.parse_args().minutes * 60
    expect.set_options(timeout=60_000)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder, Provider() as provider:
        provider.answer(PROMPT, ANSWER)
        model = {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}
        with running("prod", Path(folder), model) as server, sync_playwright() as playwright:
            lengths = range(LENGTH, LENGTH + THREADS)
            threads = {long_thread(server, length): f"{length} messages" for length in lengths}
            browser = playwright.chromium.launch(
                executable_path=chromium.find() or sys.exit(chromium.MISSING), args=list(chromium.FLAGS)
            )
            page = browser.new_page()
            page.goto(server.url)
            soak = PageSoak(page, threads, server.processes())
            verdict = soak.run(seconds, min(30.0, seconds / 20), lambda line: print(line, flush=True))
            browser.close()
    print(verdict.table())
    return 1 if verdict.complaints() else 0


if __name__ == "__main__":
    sys.exit(main())
