"""Compare the layout of three pages with snapshots, without text, because fonts differ between machines.

A snapshot is a text file in snapshots/ with one character for each square of 20 pixels: the most prominent
level in the square from 0 (dark) to f (light), so that even a hairline shows. To accept a new layout, delete
the file: the test fails once and writes a new file, and the commit shows the difference.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

from tests.support.browser.chat import Chat, in_production, left_over
from tests.support.providers.provider import Call, Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]
SNAPSHOTS = Path(__file__).with_name("snapshots")
SQUARE = 20  # pixels
RANGES = {"light": (215, 255), "dark": (10, 70)}  # levels of a scheme's backgrounds and lines
STRAY = 0.04  # share of squares that may differ, because a line of text may break elsewhere
WITHOUT_WORDS = """
  *, ::placeholder { color: transparent !important; text-shadow: none !important; }
  svg, img, .badge, .thread-list, select, .run-track, .dot { visibility: hidden !important; }
"""
LEVELS = """async ([picture, square, low, high, pick]) => {
  const bytes = Uint8Array.from(atob(picture), (letter) => letter.charCodeAt(0));
  const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
  const canvas = new OffscreenCanvas(image.width, image.height);
  const brush = canvas.getContext("2d", { willReadFrequently: true });
  brush.drawImage(image, 0, 0);
  const level = (x, y) => {
    const { data } = brush.getImageData(x, y, square, square);
    let grey = (data[0] + data[1] + data[2]) / 3;
    for (let i = 4; i < data.length; i += 4) grey = Math[pick](grey, (data[i] + data[i + 1] + data[i + 2]) / 3);
    return Math.round(Math.min(1, Math.max(0, (grey - low) / (high - low))) * 15).toString(16);
  };
  const rows = [];
  for (let y = 0; y + square <= image.height; y += square) {
    let row = "";
    for (let x = 0; x + square <= image.width; x += square) row += level(x, y);
    rows.push(row);
  }
  return rows;
}"""


def looks(tab: Chat, scheme: str) -> list[str]:
    """Return the page without its text as rows of levels."""
    picture = base64.b64encode(tab.page.screenshot(animations="disabled")).decode()
    return tab.page.evaluate(
        LEVELS, [picture, SQUARE, *RANGES[scheme], "min" if scheme == "light" else "max"]
    )


def compare(name: str, tab: Chat, scheme: str) -> None:
    """Compare the page with its snapshot once the page has stopped changing."""
    tab.page.add_style_tag(content=WITHOUT_WORDS)
    tab.page.mouse.move(1, 1)
    file = SNAPSHOTS / f"{name}.txt"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        file.write_text("\n".join(looks(tab, scheme)) + "\n")
        raise AssertionError(f"{file.name} was written: look at it, and run this again.")
    assert left_over(lambda: moved(name, looks(tab, scheme))) == []


def moved(name: str, seen: list[str]) -> list[str]:
    """Return the differences from the snapshot as a sentence and a picture; [] if they are small."""
    file = SNAPSHOTS / f"{name}.txt"
    kept = file.read_text().split()
    assert [len(row) for row in seen] == [len(row) for row in kept]
    pairs = [
        (int(a, 16), int(b, 16))
        for old, new in zip(kept, seen, strict=True)
        for a, b in zip(old, new, strict=True)
    ]
    strays = sum(abs(a - b) > 1 for a, b in pairs)
    return [] if strays <= STRAY * len(pairs) else [f"{strays} squares of {len(pairs)}", *seen]


def opened(open_tab: OpenTab, scheme: str, width: int, height: int, **more: Any) -> Chat:
    look = {
        "color_scheme": scheme,
        "reduced_motion": "reduce",
        "viewport": {"width": width, "height": height},
    }
    return open_tab(**look | more)


def test_new_chat_looks_as_before(open_tab: OpenTab) -> None:
    tab = opened(open_tab, "light", 1280, 800)
    expect(tab.by("composer")).to_be_editable()
    expect(tab.by("suggestion")).to_have_count(4)
    compare("new-chat", tab, "light")

    tab.page.add_style_tag(content=".suggestions { grid-template-columns: 1fr !important; }")
    assert moved("new-chat", looks(tab, "light")) != [], "what has moved is not seen"


def test_thread_with_tools_and_timeline_looks_as_before(provider: Provider, open_tab: OpenTab) -> None:
    code = "```python\nanswer = 42\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    provider.answer("Look", [Call("calculator", {"expression": "6 * 7"})], [code])
    tab = opened(open_tab, "dark", 1280, 800)
    tab.send("Look")
    tab.wait_until("completed")
    expect(tab.answer.locator("table")).to_be_visible()
    tab.by("timeline-toggle").click()
    expect(tab.by("timeline-row")).to_have_count(3)
    expect(tab.by("durability-committed")).to_have_text("step 2 of 2")
    compare("thread", tab, "dark")


def test_approval_on_a_phone_looks_as_before(provider: Provider, open_tab: OpenTab) -> None:
    mail = Call("send_email", {"to": "ada@example.org", "subject": "Hi", "body": "Hello"})
    provider.answer("Mail", [mail])
    tab = opened(open_tab, "light", 390, 844, is_mobile=True, has_touch=True)
    tab.send("Mail")
    expect(tab.by("approve")).to_be_visible()
    compare("approval", tab, "light")
