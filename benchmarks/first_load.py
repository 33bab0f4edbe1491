"""Cost of a first visit and the time until the page responds, in Lighthouse's metrics.

PerformanceObserver reads each metric as https://web.dev/articles/vitals describes: first and largest
contentful paint, total blocking time (the part of long tasks beyond 50 ms), cumulative layout shift. The
browser's cache is empty. The second `make run` is timed too, once the pages are built.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks.report import heading, row
from tests.support.browser.server import Server
from tests.tools import chromium

TIMES = 5
WATCH = """
window.seen = { lcp: 0, tbt: 0, cls: 0 };
const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
watch("largest-contentful-paint", (e) => { seen.lcp = e.startTime; });
watch("longtask", (e) => { seen.tbt += Math.max(0, e.duration - 50); });
watch("layout-shift", (e) => { if (!e.hadRecentInput) seen.cls += e.value; });
"""
READ = """() => ({ ...seen, fcp: performance.getEntriesByName("first-contentful-paint")[0].startTime,
  usable: performance.now(),
  scripts: performance.getEntriesByType("resource").filter((e) => /\\.js$/.test(e.name))
    .reduce((sum, e) => sum + e.encodedBodySize, 0) })"""


def visit(browser: Browser, url: str) -> dict[str, Any]:
    """Open the app in a fresh browser profile and return the observed metrics."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(url)
    expect(page.get_by_test_id("composer")).to_be_editable(timeout=60_000)
    seen = page.evaluate(READ)
    page.wait_for_timeout(2000)  # late layout shifts count, too
    seen["cls"] = page.evaluate("seen.cls")
    context.close()
    return seen


def warm_start(server: Server) -> float:
    """Return the seconds from the command to the first response, with the pages already built."""
    server.stop()
    began = time.perf_counter()
    server.start()
    return time.perf_counter() - began


def main() -> None:
    """Start the app twice, visit it several times and print the medians."""
    heading("A first visit")
    path = chromium.find() or sys.exit(chromium.MISSING)
    with tempfile.TemporaryDirectory() as folder:
        server = Server("prod", Path(folder), {"CHAT_MODEL": "demo"})
        server.start()
        try:
            row("the second make run, to its first answer", warm_start(server), "s", "aim: 5 s")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
                visits = [visit(browser, server.url) for _ in range(TIMES)]
                browser.close()
        finally:
            server.stop()
    figures = {name: statistics.median(seen[name] for seen in visits) for name in visits[0]}
    row("compressed scripts", figures["scripts"] / 1024, "KiB", "aim: 300 KiB")
    row("first contentful paint", figures["fcp"], "ms")
    row("largest contentful paint", figures["lcp"], "ms", "good: 2,500 ms")
    row("the composer takes words", figures["usable"], "ms")
    row("total blocking time", figures["tbt"], "ms", "good: 200 ms")
    row("cumulative layout shift", figures["cls"], "", "good: 0.1")


if __name__ == "__main__":
    main()
