"""Cost of a streamed answer of 17 KB in the browser: socket bytes, frames a second, script time.

The app is served as by `make run` and shown in a real Chromium. A provider on loopback sends markdown at
a hundred tokens a second, so the answer takes 44 s however fast the machine is.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from benchmarks.report import heading, row
from tests.support.browser.server import running
from tests.support.providers.provider import Provider
from tests.tools import chromium

TOKENS, PACE = 4_300, 0.01
SECTION = """## Section {n}

Durable agents keep **every step** in rows, so that `kill -9` in the middle of a word loses *nothing*.

- the first point, with a [link](https://example.org/{n})
- the second point, with `code`
- the third point

```python
def step_{n}(state: dict) -> dict:
    return {{**state, "step": {n}}}
```

| name | value |
|---|---|
| step | {n} |

"""
COUNT_FRAMES = """() => {
  window.frames_seen = 0; window.longest = 0; let last = performance.now();
  const tick = (now) => { window.frames_seen++; window.longest = Math.max(window.longest, now - last); last = now;
                          requestAnimationFrame(tick); };
  requestAnimationFrame(tick);
}"""


@dataclass
class Socket:
    """Bytes received on the tab's sockets."""

    received: int = 0
    messages: int = 0

    def listen(self, cdp: CDPSession) -> None:
        """Count the bytes of every frame that the server sends."""
        cdp.send("Network.enable")
        cdp.on("Network.webSocketFrameReceived", self._count)

    def _count(self, event: dict[str, Any]) -> None:
        self.received += len(event["response"]["payloadData"].encode())
        self.messages += 1


def answer() -> list[str | float]:
    """Return 17 KB of markdown in tokens of four characters, one every hundredth of a second."""
    text = "".join(SECTION.format(n=n) for n in range(1, 200))[: TOKENS * 4]
    return [item for n in range(0, len(text), 4) for item in (text[n : n + 4], PACE)]


def metrics(cdp: CDPSession) -> dict[str, float]:
    """Return Chromium's own counters, in seconds."""
    return {metric["name"]: metric["value"] for metric in cdp.send("Performance.getMetrics")["metrics"]}


def send(page: Page, prompt: str) -> None:
    """Type and send a prompt, and wait until the address is the thread's."""
    composer = page.get_by_test_id("composer")
    expect(composer).to_be_editable()
    composer.fill(prompt)
    composer.press("Enter")
    page.wait_for_url(re.compile("/chat/thread_"))


def stream_once(page: Page, cdp: CDPSession, socket: Socket, url: str) -> None:
    """Send the prompt, wait for the end of the answer and print its cost."""
    page.goto(url)
    expect(page.get_by_test_id("composer")).to_be_editable()
    page.wait_for_timeout(3000)  # exclude the first load
    page.evaluate(COUNT_FRAMES)
    before, sent, began = metrics(cdp), socket.received, time.perf_counter()
    send(page, "Write")
    expect(page.get_by_test_id("stream")).to_contain_text("Section", timeout=60_000)
    first = time.perf_counter() - began
    status = page.get_by_test_id("status")
    expect(status).to_have_attribute("data-status", "completed", timeout=180_000)
    wall = time.perf_counter() - began
    after = metrics(cdp)
    row("socket bytes", (socket.received - sent) / 1e3, "KB", "aim: 150 KB")
    row("socket messages", socket.messages, "")
    row("frames a second", page.evaluate("window.frames_seen") / wall, "fps", "aim: 55")
    row("longest frame", page.evaluate("window.longest"), "ms")
    for name in ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration"):
        row(name, after[name] - before[name], "s")
    row("memory of the page's scripts", after["JSHeapUsedSize"] / 1e6, "MB")
    row("from Enter to the first words", first, "s", "litellm may still be loading")
    row("from there to the end", wall - first, "s", f"the provider alone: {TOKENS * PACE:.0f} s")


def main() -> None:
    """Start the app and the provider, stream once and print the figures."""
    heading("A streamed answer of 17 KB in the browser")
    path = chromium.find() or sys.exit(chromium.MISSING)
    with tempfile.TemporaryDirectory() as folder, Provider() as provider:
        model = {"CHAT_MODEL": "openai/scripted", "OPENAI_BASE_URL": provider.url, "OPENAI_API_KEY": "none"}
        provider.answer("Write", answer())
        with running("prod", Path(folder), model) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS))
            page = browser.new_page()
            cdp, socket = page.context.new_cdp_session(page), Socket()
            cdp.send("Performance.enable")
            socket.listen(cdp)
            stream_once(page, cdp, socket, server.url)
            browser.close()


if __name__ == "__main__":
    main()
