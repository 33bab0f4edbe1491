"""What a key costs in a thread of 2,000 messages while an answer is being written.

Two figures for each key: how long its handlers take, from the browser's own timeline, and how long it
takes until the frame that shows it is painted (Event Timing, https://www.w3.org/TR/event-timing/, which
rounds to 8 ms and counts the wait for the next frame: 16 ms is the next one).
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.report import heading, row
from tests.browser.rows import long_thread
from tests.tools import chromium
from tests.tools.provider import Provider
from tests.tools.server import running

MESSAGES, KEYS = 2_000, 200
WATCH = """() => {
  window.keys = []; let began = 0;
  addEventListener("keydown", () => { began = performance.now(); }, true);
  addEventListener("input", () => queueMicrotask(() => window.keys.push([performance.now() - began])), false);
  window.painted = [];
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (e.name === "keydown") window.painted.push(e.duration);
  }).observe({ type: "event", durationThreshold: 16 });
}"""


def keys(page: Page, text: str) -> tuple[list[float], list[float]]:
    """Type a text as a person does; return the milliseconds of handlers, and until painted if over 16."""
    page.evaluate(WATCH)
    page.get_by_test_id("composer").press_sequentially(text, delay=60)
    page.wait_for_timeout(500)
    handled = [sample[0] for sample in page.evaluate("window.keys")]
    return handled, page.evaluate("window.painted")


def report(what: str, handled: list[float], painted: list[float]) -> None:
    """Print the figures of one way to type; a key that was painted sooner than 16 ms counts as 16."""
    row(f"{what}: handlers, median", statistics.median(handled), "ms", "aim: 16 ms")
    row(f"{what}: handlers, p95", statistics.quantiles(handled, n=20)[-1], "ms")
    until = sorted([*painted, *[16.0] * (len(handled) - len(painted))])
    row(f"{what}: until painted, median", statistics.median(until), "ms")
    row(f"{what}: until painted, p95", until[int(len(until) * 0.95)], "ms")


def main() -> None:
    """Type in a short thread at rest, then in a long one while an answer comes."""
    heading(f"A key in a thread of {MESSAGES:,} messages while an answer is written")
    path = chromium.find() or sys.exit(chromium.MISSING)
    text = ("as I was saying " * KEYS)[:KEYS]
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        model = {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}
        provider.answer("Write", [item for n in range(4_000) for item in (f"w{n} ", 0.01)])
        with running("prod", Path(folder), model) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{server.url}/chat/{long_thread(server, 2)}")
            expect(page.get_by_test_id("message").last).to_be_visible(timeout=60_000)
            report("two messages, at rest", *keys(page, text))
            page.goto(f"{server.url}/chat/{long_thread(server, MESSAGES)}")
            expect(page.get_by_test_id("message").last).to_be_visible(timeout=60_000)
            for _ in range(3):
                page.get_by_test_id("earlier").click()
            page.get_by_test_id("composer").fill("Write")
            page.get_by_test_id("composer").press("Enter")
            streaming = page.get_by_test_id("status")
            expect(streaming).to_have_attribute("data-status", re.compile("streaming"), timeout=60_000)
            expect(page.get_by_test_id("stream")).to_contain_text("w20", timeout=60_000)
            report(f"{MESSAGES:,} messages, writing", *keys(page, text))
            browser.close()


if __name__ == "__main__":
    main()
