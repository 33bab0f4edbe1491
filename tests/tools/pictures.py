"""Take the README's pictures from the running app: `python -m tests.tools.pictures`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.browser.server import ROOT, Server, running
from tests.tools import chromium

IMAGES = ROOT / "docs" / "images"
PROMPT = "What time is it in Tokyo, and what is (17.5 + 3) * 248?"
STORY = "Write 300 words"


def take(
    browser: Browser, server: Server, name: str, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    """Send two prompts and take a picture in the middle of the second answer."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
    page = context.new_page()
    page.goto(server.url)
    for prompt in (PROMPT, STORY):
        composer = page.get_by_test_id("composer")
        expect(composer).to_be_editable()
        composer.fill(prompt)
        composer.press("Enter")
        page.wait_for_url("**/chat/thread_*")
        if prompt is PROMPT:
            expect(page.get_by_test_id("status")).to_have_attribute(
                "data-status", "completed", timeout=60_000
            )
    expect(page.get_by_test_id("messages")).to_contain_text("nets full of silver", timeout=60_000)
    page.screenshot(path=IMAGES / name)
    expect(page.get_by_test_id("status")).to_have_attribute("data-status", "completed", timeout=60_000)
    context.close()


def main() -> None:
    """Take every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running("prod", Path(folder), {"CHAT_MODEL": "demo/assistant"}) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.FLAGS))
        take(browser, server, "chat.png", (1280, 800), "light")
        take(browser, server, "phone-dark.png", (390, 844), "dark")
        browser.close()


if __name__ == "__main__":
    main()
