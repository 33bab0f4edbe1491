"""Test pages at 200 percent zoom and with reduced motion, and the script size of a first visit."""

from __future__ import annotations

import gzip
import re
import threading
import urllib.request
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser.chat import HALF, WORDS, Chat, half_answered, in_production, left_over
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]
BUDGET = 250 * 1024  # bytes of compressed scripts that a first visit may load
WIDE = """```python
result = a_function_with_a_long_name(first_argument=1, second_argument=2, third_argument=3, fourth_argument=4)
```

| one | two | three | four | five | six | seven | eight | nine | ten | eleven | twelve |
|---|---|---|---|---|---|---|---|---|---|---|---|
| 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 |

A_word_that_is_much_too_long_for_a_line_of_a_small_window_and_has_no_place_to_break_it_anywhere_at_all.
"""
CUT_OFF = """() => [...document.querySelectorAll("main *")]
  .filter((e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }))
  .filter((e) => !e.closest("pre, .md-table, .table-scroll, .sr-only, svg, .formula, .diagram"))
  .filter((e) => { const { left, right, width } = e.getBoundingClientRect(); return width && (left < -1 || right > innerWidth + 1); })
  .map((e) => `${e.tagName} ${e.className}`)"""


def cut_off(tab: Chat) -> list[str]:
    """Return the elements that do not fit into the window."""
    fits = tab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return tab.page.evaluate(CUT_OFF) + ([] if fits else ["the page is wider than the window"])


def test_page_at_200_percent_cuts_nothing_off(
    provider: Provider, server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    mail = Call("send_email", {"to": "ada@example.org", "subject": "Hi", "body": "Hello " * 40})
    provider.answer("Wide", [WIDE, mail])
    tab = open_tab(viewport={"width": 640, "height": 400}, device_scale_factor=2)
    for route in server.routes():
        if "[" not in route:
            tab.go({"index": "/", "404": "/no/such/page"}.get(route, f"/{route}"))
            tab.page.wait_for_load_state("networkidle")
            assert left_over(lambda: cut_off(tab)) == [], route
    tab.go("/")
    heading = tab.page.locator(".empty h1")
    heading.scroll_into_view_if_needed()
    expect(heading).to_be_in_viewport(ratio=1)  # an element higher than the window can be scrolled to its top
    tab.by("suggestion").last.scroll_into_view_if_needed()
    expect(tab.by("suggestion").last).to_be_in_viewport(ratio=1)

    tab.send("Wide")
    expect(tab.by("approve")).to_be_visible()
    assert left_over(lambda: cut_off(tab)) == []
    expect(tab.by("composer")).to_be_in_viewport(ratio=1)
    tab.by("approve").scroll_into_view_if_needed()
    expect(tab.by("approve")).to_be_in_viewport(ratio=1)
    tab.by("menu").click()
    expect(tab.by("new-chat")).to_be_in_viewport(ratio=1)
    page_errors[:] = [
        error for error in page_errors if "404" not in error
    ]  # the browser's own message about a 404


def test_page_with_reduced_motion_moves_nothing(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    tab = half_answered(provider, gate, open_tab, reduced_motion="reduce")
    shown = str(len(" ".join(WORDS[:HALF])) + 1)
    expect(tab.answer.locator(".md")).to_have_attribute("data-shown", shown)  # all text that has arrived
    moving = """() => document.getAnimations()
      .filter((a) => a.playState === "running" && a.effect.getComputedTiming().activeDuration > 20)
      .map((a) => a.animationName ?? a.transitionProperty)"""
    assert tab.page.evaluate(moving) == []
    gate.set()
    assert tab.answer_text().split() == WORDS


def test_a_first_visit_loads_no_more_script_than_it_may(server: Server) -> None:
    with urllib.request.urlopen(server.url) as answer:
        page = answer.read().decode()
    scripts = set(re.findall(r'(?:modulepreload" href|script[^>]* src)="([^"]+)"', page))
    sizes = {}
    for script in scripts:
        with urllib.request.urlopen(server.url + script) as answer:
            sizes[script] = len(gzip.compress(answer.read(), 6))
    assert len(sizes) > 3, page
    assert sum(sizes.values()) <= BUDGET, sizes
