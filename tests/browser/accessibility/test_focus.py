"""Test keyboard focus in dialogs, menus and drawers.

Focus moves into an overlay, stays inside and returns afterwards; Esc closes one overlay at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser.chat import Chat, eventually, in_production
from tests.support.providers.provider import Call, Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
RING = """() => {
  const { outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor } = getComputedStyle(document.activeElement);
  return outlineStyle !== "none" && parseFloat(outlineWidth) >= 1.5;
}"""
WITHIN = "box => box.contains(document.activeElement)"


def with_answer(open_tab: OpenTab, provider: Provider, **options: object) -> Chat:
    tab = open_tab(**options)
    tab.ask(provider, "Hello", ["Hello back."])
    return tab


def stays_within(tab: Chat, box: Locator, presses: int = 12) -> None:
    """Press Tab often; focus may reach the browser's own buttons, but no element of the page behind."""
    for _ in range(presses):
        tab.page.keyboard.press("Tab")
        assert box.evaluate(WITHIN) or tab.page.evaluate("document.activeElement === document.body")


def test_esc_closes_the_innermost_and_the_focus_comes_back(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer("Count", ["One ", gate, "two."])
    tab = open_tab()
    tab.send("Count")
    expect(tab.answer).to_contain_text("One")
    keys = tab.page.keyboard
    tab.by("timeline-toggle").click()
    expect(tab.by("timeline-close")).to_be_focused()

    keys.press("Control+k")  # over the drawer
    expect(tab.by("palette-field")).to_be_focused()
    stays_within(tab, tab.by("palette"), 4)
    keys.press("Escape")
    expect(tab.by("palette")).to_be_hidden()
    expect(tab.by("timeline-close")).to_be_focused()
    keys.press("Escape")
    expect(tab.by("timeline")).to_have_count(0)
    expect(tab.by("timeline-toggle")).to_be_focused()
    tab.by("share-menu").press("Enter")
    expect(tab.by("menu-edit")).to_be_focused()
    keys.press("Escape")
    expect(tab.by("menu-box")).to_have_count(0)
    expect(tab.by("share-menu")).to_be_focused()
    tab.by("answers-open").press("Enter")
    expect(tab.by("answers")).to_be_visible()
    keys.press("Escape")
    expect(tab.by("answers")).to_be_hidden()
    expect(tab.by("answers-open")).to_be_focused()
    tab.wait_until("streaming")  # no Esc so far has stopped the answer
    gate.set()
    tab.wait_until("completed")


def test_a_row_s_menu_is_walked_with_arrows_and_gives_the_focus_back(
    provider: Provider, open_tab: OpenTab
) -> None:
    tab = with_answer(open_tab, provider)
    button = tab.page.locator(f'[data-thread-id="{tab.thread_id}"]').get_by_test_id("thread-menu")
    keys = tab.page.keyboard
    button.press("Enter")
    box = tab.by("menu-box")
    expect(box.get_by_role("menuitem").first).to_be_focused()
    keys.press("ArrowUp")
    expect(tab.by("menu-delete")).to_be_focused()
    sizes = box.bounding_box()
    assert sizes is not None
    assert sizes["width"] < 260  # regression: it once had the width of another menu
    keys.press("Escape")
    expect(box).to_have_count(0)
    expect(button).to_be_focused()


def test_drawer_and_sheet_hold_the_focus_on_a_phone(provider: Provider, open_tab: OpenTab) -> None:
    tab = with_answer(open_tab, provider, **PHONE)
    keys = tab.page.keyboard
    tab.by("menu").press("Enter")
    expect(tab.by("new-chat")).to_be_visible()
    keys.press("Tab")
    eventually(lambda: tab.page.locator(".sidebar").evaluate(WITHIN), bool)
    keys.press("Escape")
    expect(tab.by("new-chat")).to_be_hidden()
    expect(tab.by("menu")).to_be_focused()

    tab.by("timeline-toggle").press("Enter")
    expect(tab.by("timeline-close")).to_be_focused()
    expect(tab.by("timeline-row").first).to_be_visible()
    stays_within(tab, tab.by("timeline"))
    keys.press("Escape")
    expect(tab.by("timeline")).to_have_count(0)
    expect(tab.by("timeline-toggle")).to_be_focused()


def test_touch_targets_are_large_enough(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Mail", [Call("send_email", {"to": "a@example.org", "subject": "Hi", "body": "Hello"})])
    tab = open_tab(**PHONE)
    tab.send("Mail")
    expect(tab.by("approve")).to_be_visible()
    small = """() => [...document.querySelectorAll("button, summary, select, a.icon-button, input, textarea")]
      .filter((e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".sr-only, .composer textarea"))
      .filter((e) => e.getBoundingClientRect().top < innerHeight) // rows further down are not laid out yet
      .filter((e) => e.getBoundingClientRect().height < 39.5 && !(e.tagName === "TEXTAREA" && e.closest(".composer")))
      .map((e) => `${e.tagName} ${e.className} ${e.dataset.testid} ${e.getBoundingClientRect().height}`)"""
    eventually(lambda: tab.page.evaluate(small), lambda found: found == [])
    tab.by("menu").click()
    expect(tab.by("new-chat")).to_be_visible()
    eventually(lambda: tab.page.evaluate(small), lambda found: found == [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_focus_is_visible_at_every_tab_stop(scheme: str, provider: Provider, open_tab: OpenTab) -> None:
    tab = with_answer(open_tab, provider, color_scheme=scheme)
    tab.by("new-chat").focus()
    seen = ["new-chat"]
    for _ in range(16):
        tab.page.keyboard.press("Tab")
        name = tab.page.evaluate(
            "(e => e.dataset.testid || e.getAttribute('aria-label') || e.tagName)(document.activeElement)"
        )
        seen.append(name)
        if name not in ("composer", "BODY"):  # the box around the field shows focus, not the field
            eventually(lambda name=name: tab.page.evaluate(RING) or name, lambda ring: ring is True)
    wanted = ["new-chat", "search", "inbox-link", "settings", "timeline-toggle", "share-menu", "messages"]
    places = [seen.index(name) for name in wanted]  # in reading order
    assert places == sorted(places), seen
