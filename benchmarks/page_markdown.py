"""Two heavy texts in the browser: a streamed table of 500 rows, and a stored answer of 200 KB.

The app is served as by `make run` and shown in a real Chromium. The table comes from a provider on loopback
at a hundred tokens a second; the answer is opened by its address and from the list of threads.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from benchmarks.page import PACE, SECTION, metrics, send
from benchmarks.report import heading, row
from tests.support.browser.server import running
from tests.support.providers.provider import Provider
from tests.tools import chromium

ROWS, SAVED = 500, 200_000  # characters
TABLE = "| # | name | value | note |\n|--:|---|---|---|\n" + "".join(
    f"| {n} | `step_{n}` | **{n * 7}** | row {n} of *many* |\n" for n in range(1, ROWS + 1)
)
ANSWER = "".join(SECTION.format(n=n) for n in range(1, 1 + SAVED // len(SECTION)))
# Runs before the page's own scripts, and again from a click on.
WATCH = """() => {
  const seen = (window.seen = { began: performance.now(), frames: 0, longest: 0, blocked: 0, task: 0, drawn: 0 });
  let last = seen.began;
  const isDrawn = (element) => element && +element.dataset.shown >= LENGTH && !("writing" in element.dataset);
  const tick = (now) => {
    if (window.seen !== seen) return;
    seen.frames += seen.drawn ? 0 : 1;
    seen.longest = Math.max(seen.longest, now - last);
    last = now;
    if (!seen.drawn && isDrawn([...document.querySelectorAll(".md")].at(-1))) seen.drawn = now;
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => {
    seen.task = Math.max(seen.task, duration);
    seen.blocked += Math.max(0, duration - 50);
  })).observe({ type: "longtask" });
}"""


def watch(length: int) -> str:
    """Return JavaScript that counts frames until an answer of `length` characters is drawn."""
    return WATCH.replace("LENGTH", str(length))


def read(page: Page) -> dict[str, Any]:
    """Return the counts once the answer is drawn, plus one second, because late frames count, too."""
    while not page.evaluate("window.seen?.drawn"):
        page.wait_for_timeout(50)
    page.wait_for_timeout(1000)
    return page.evaluate("window.seen")


def show(seen: dict[str, Any], aim: str) -> None:
    """Print the counts; `aim` is the goal for the frames."""
    seconds = (seen["drawn"] - seen["began"]) / 1000
    row("frames a second", seen["frames"] / seconds, "fps", aim)
    row("longest frame", seen["longest"], "ms", "aim: 100 ms")
    row("longest task", seen["task"], "ms", "aim: 100 ms")
    row("blocking time, all tasks beyond 50 ms", seen["blocked"], "ms", "aim: 500 ms")


def stream_table(page: Page, cdp: CDPSession, url: str) -> None:
    """Send the prompt, wait for the last row and print its cost."""
    page.goto(url)
    expect(page.get_by_test_id("composer")).to_be_editable()
    page.wait_for_timeout(3000)  # exclude the first load
    before, began = metrics(cdp), time.perf_counter()
    page.evaluate(watch(len(TABLE)))
    send(page, "Tabulate")
    expect(page.locator(".md tbody tr").first).to_be_visible(timeout=60_000)
    first = time.perf_counter() - began
    seen = read(page)
    after = metrics(cdp)
    expect(page.locator(".md tbody tr")).to_have_count(ROWS)
    show(seen, "aim: 55")
    for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration"):
        row(name, after[name] - before[name], "s")
    alone = len(TABLE) / 4 * PACE
    row(
        "from Enter to all rows",
        (seen["drawn"] - seen["began"]) / 1000,
        "s",
        f"the provider alone: {alone:.0f} s",
    )
    row("from Enter to the first row", first, "s", "litellm may still be loading")


def open_saved(browser: Browser, url: str) -> None:
    """Store the long answer, open it by its address and from the list, and print the cost of each."""
    page = browser.new_page()
    page.goto(url)
    send(page, "Save")
    expect(page.get_by_test_id("status")).to_have_attribute("data-status", "completed", timeout=60_000)
    expect(page.locator(f'.md[data-shown="{len(ANSWER)}"]')).to_be_visible(timeout=60_000)
    address = page.url
    page.close()
    for how in ("loaded by its address", "opened from the list"):
        page = browser.new_page()
        if how.startswith("loaded"):
            page.add_init_script(f"({watch(len(ANSWER))})()")
            page.goto(address)
        else:
            page.goto(url)
            expect(page.get_by_test_id("composer")).to_be_editable()
            page.wait_for_timeout(3000)
            page.evaluate(watch(len(ANSWER)))
            page.locator(f'a[href$="{address.rpartition("/")[2]}"]').first.click()
        heading(f"A saved answer of {len(ANSWER) / 1000:.0f} KB, {how}")
        seen = read(page)
        show(seen, "aim: 20, for each frame reads on for 16 ms")
        row("until all of it is drawn", (seen["drawn"] - seen["began"]) / 1000, "s", "aim: 2 s")
        page.close()


def main() -> None:
    """Start the app and the provider, stream the table and open the answer."""
    heading(f"A streamed table of {ROWS} rows, {len(TABLE) / 1000:.0f} KB")
    path = chromium.find() or sys.exit(chromium.MISSING)
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        model = {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}
        tokens = [TABLE[at : at + 4] for at in range(0, len(TABLE), 4)]
        provider.answer("Tabulate", [item for token in tokens for item in (token, PACE)])
        provider.answer("Save", [ANSWER])
        with running("prod", Path(folder), model) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
            page = browser.new_page()
            cdp = page.context.new_cdp_session(page)
            cdp.send("Performance.enable")
            stream_table(page, cdp, server.url)
            page.close()
            open_saved(browser, server.url)
            browser.close()


if __name__ == "__main__":
    main()
