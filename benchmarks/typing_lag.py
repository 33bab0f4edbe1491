"""Cost of a key press in a thread of 2,000 messages while an answer is being written.

For comparison, the same browser types in the same way into a page that has only a text field: at rest, and
while a line of the page changes with every frame. A browser shows a key with the next frame, and frames come
every 16.7 ms while anything moves, so nothing can be quicker than that page: the best ratio is 1.

Three times are taken of each key: until its handlers end; until the task after its frame, when the main
thread is done with the key; and until the frame is on the screen (Event Timing, in steps of 8 ms,
https://www.w3.org/TR/event-timing/). The compositor of a headless browser at rest reports the last one late,
sometimes by seconds, for keys that were painted long before; while frames come, it can be trusted.
"""

from __future__ import annotations

import re
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from benchmarks.page import metrics
from benchmarks.report import heading, row
from tests.support.browser.rows import long_thread
from tests.support.browser.server import running
from tests.support.providers.provider import Provider
from tests.tools import chromium

MESSAGES, KEYS = 2_000, 150
TEXT = ("as I was saying " * KEYS)[:KEYS]
PARAGRAPH = 60  # words
BARE = """<div id=line>0</div><textarea></textarea><script>
  window.move = () => { line.textContent = performance.now(); requestAnimationFrame(move) };
</script>"""
TURNS = 3
PULSE = """(on) => {
  window.pulse ??= document.head.appendChild(document.createElement("style"));
  window.pulse.textContent = on ? '.dot[data-tone="running"] { animation: pulse 1.6s ease-in-out infinite }' : "";
}"""
WATCH = """() => {
  window.handled = []; window.painted = []; window.shown = [];
  let began = 0;
  addEventListener("keydown", (event) => {
    began = performance.now();
    const pressed = event.timeStamp, after = new MessageChannel();
    after.port1.onmessage = () => window.painted.push(performance.now() - pressed);
    requestAnimationFrame(() => after.port2.postMessage(0));
  }, true);
  addEventListener("input", () => queueMicrotask(() => window.handled.push(performance.now() - began)));
  new PerformanceObserver((list) => {
    for (const e of list.getEntries()) if (e.name === "keydown") window.shown.push(e.duration);
  }).observe({ type: "event", durationThreshold: 16 });
}"""


@dataclass(frozen=True)
class Typed:
    """Milliseconds of each key, and the share of a core that the main thread used meanwhile."""

    handled: list[float]
    painted: list[float]
    shown: list[float]
    busy: float


def pooled(turns: list[Typed]) -> Typed:
    """Return all the keys of several turns."""
    return Typed(
        [sample for turn in turns for sample in turn.handled],
        [sample for turn in turns for sample in turn.painted],
        [sample for turn in turns for sample in turn.shown],
        statistics.mean(turn.busy for turn in turns),
    )


def typed(page: Page, field: Locator, text: str = TEXT) -> Typed:
    """Type `text` at a person's pace and return the times of each key."""
    cdp = page.context.new_cdp_session(page)
    cdp.send("Performance.enable")
    if not page.evaluate("'handled' in window"):
        page.evaluate(WATCH)
    page.evaluate("handled.length = painted.length = shown.length = 0")
    before = metrics(cdp)
    field.press_sequentially(text, delay=60)
    after = metrics(cdp)
    page.wait_for_timeout(500)
    handled, painted, shown = page.evaluate("[handled, painted, shown]")
    shown += [8.0] * (len(handled) - len(shown))  # events under 16 ms are not reported
    taken = after["TaskDuration"] - before["TaskDuration"]
    return Typed(handled, painted, shown, taken / (after["Timestamp"] - before["Timestamp"]))


def report(what: str, keys: Typed, beside: Typed | None = None) -> float:
    """Print the figures of one page, compared with `beside` if given; return the median until painted."""
    median, late = statistics.median(keys.painted), statistics.quantiles(keys.painted, n=20)[-1]
    ratio = f"{median / statistics.median(beside.painted):.2f} x the bare page's" if beside else ""
    row(f"{what}: handlers, median", statistics.median(keys.handled), "ms")
    row(f"{what}: handlers, p95", statistics.quantiles(keys.handled, n=20)[-1], "ms")
    row(f"{what}: until painted, median", median, "ms", ratio)
    row(f"{what}: until painted, p95", late, "ms")
    row(f"{what}: on the screen, median", statistics.median(keys.shown), "ms")
    row(f"{what}: on the screen, p95", statistics.quantiles(keys.shown, n=20)[-1], "ms")
    row(f"{what}: main thread", keys.busy * 100, "%")
    return median


def answer() -> list[str | float]:
    """Return paragraphs that are streamed at a hundred words a second."""
    ends = {PARAGRAPH - 1: "\n\n"}
    return [item for n in range(12_000) for item in (f"w{n}{ends.get(n % PARAGRAPH, ' ')}", 0.01)]


def bare(page: Page) -> tuple[Typed, Typed]:
    """Type into a page that has only a text field: at rest, and while a line changes with every frame."""
    page.set_content(BARE)
    field = page.locator("textarea")
    at_rest = typed(page, field)
    page.evaluate("move()")
    return at_rest, typed(page, field)


def with_and_without_a_pulse(page: Page, field: Locator) -> tuple[Typed, Typed]:
    """Type while a dot rests and while it pulses, in turns."""
    still, pulsing = [], []
    for _ in range(TURNS):
        for turns in (still, pulsing):
            page.evaluate(PULSE, turns is pulsing)
            turns.append(typed(page, field, TEXT[: KEYS // TURNS]))
    return pooled(still), pooled(pulsing)


def main() -> None:
    """Type into the bare page, a short thread at rest, and a long thread while an answer streams."""
    heading(f"A key in a thread of {MESSAGES:,} messages while an answer is written")
    path = chromium.find() or sys.exit(chromium.MISSING)
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        model = {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}
        provider.answer("Write", answer())
        with running("prod", Path(folder), model) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            composer = page.get_by_test_id("composer")
            at_rest, moving = bare(page)
            report("bare page, at rest", at_rest)
            page.goto(f"{server.url}/chat/{long_thread(server, 2)}")
            expect(page.get_by_test_id("message").last).to_be_visible(timeout=60_000)
            report("two messages, at rest", typed(page, composer), at_rest)
            page.goto(f"{server.url}/chat/{long_thread(server, MESSAGES)}")
            expect(page.get_by_test_id("message").last).to_be_visible(timeout=60_000)
            for _ in range(3):
                page.get_by_test_id("earlier").click()
            composer.fill("Write")
            composer.press("Enter")
            streaming = page.get_by_test_id("status")
            expect(streaming).to_have_attribute("data-status", re.compile("streaming"), timeout=60_000)
            expect(page.get_by_test_id("stream").last).to_contain_text("w20", timeout=60_000)
            report("bare page, a line moves", moving)
            still, pulsing = with_and_without_a_pulse(page, composer)
            report(f"{MESSAGES:,} messages, writing", still, moving)
            report("the same, a dot pulses", pulsing, moving)
            browser.close()


if __name__ == "__main__":
    main()
