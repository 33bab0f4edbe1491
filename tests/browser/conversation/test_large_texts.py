"""Test very long texts and other scripts: all text arrives, and the layout does not shift."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser.chat import FRAMES, Chat, eventually, in_production
from tests.support.browser.rows import long_thread
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]
WATCH_SHIFTS = """() => {
  window.shifted = [];
  new PerformanceObserver((list) => {
    for (const { value, hadRecentInput, sources } of list.getEntries())
      if (!hadRecentInput)
        window.shifted.push([value, ...sources.map((s) => `${s.node?.className} ${s.previousRect.y} -> ${s.currentRect.y}`)]);
  }).observe({ type: "layout-shift", buffered: true });
}"""
SHIFT = 0.1  # a good score according to https://web.dev/articles/cls


def shift(tab: Chat) -> float:
    """Return the layout shift of the page since it was loaded or watched."""
    tab.page.evaluate(FRAMES)
    return sum(value for value, *_ in tab.page.evaluate("window.shifted"))


def send_and_watch(tab: Chat, prompt: str) -> None:
    """Send the first message, then watch layout shifts.

    Shifts until the thread's page is shown are caused by the user, so they do not count.
    """
    tab.send(prompt)
    expect(tab.prompts).to_have_count(1)
    expect(tab.by("stop")).to_be_visible()
    tab.page.evaluate(FRAMES)
    tab.page.evaluate("window.shifted = []")


def prompt_of(tab: Chat) -> str:
    """Return the stored text of the thread's first message."""
    with contextlib.closing(sqlite3.connect(tab.server.database)) as rows:
        found = rows.execute(
            "select parts from agent_message where thread_id = ? order by id limit 1", [tab.thread_id]
        ).fetchone()
    return json.loads(found[0])[0]["text"]


def test_nothing_jumps_while_a_page_loads_and_an_answer_grows(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    paragraphs = [
        f"## Part {n}\n\n" + f"Some words of part {n}, and a `name`. " * 6 + "\n\n" for n in range(12)
    ]
    provider.answer("Grow", [gate, *(item for text in paragraphs for item in (text, 0.15))])
    tab = open_tab()
    tab.page.evaluate(WATCH_SHIFTS)
    expect(tab.by("suggestion").first).to_be_visible()
    assert shift(tab) < SHIFT, tab.page.evaluate("window.shifted")

    send_and_watch(tab, "Grow")
    gate.set()
    expect(tab.answer).to_contain_text("part 11")
    tab.wait_until("completed")
    assert shift(tab) < SHIFT, tab.page.evaluate("window.shifted")

    tab.reload()
    tab.page.evaluate(WATCH_SHIFTS)  # includes earlier shifts
    expect(tab.answer).to_contain_text("part 11")
    assert shift(tab) < SHIFT, tab.page.evaluate("window.shifted")
    tab.page.evaluate("document.querySelector('main').style.paddingTop = '300px'")
    eventually(lambda: shift(tab), lambda by: by >= SHIFT)  # proves that a shift is detected


def test_thread_of_2000_messages_is_shown_page_by_page(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    provider.answer("One more", ["Here it is."])
    tab = open_tab(f"/chat/{long_thread(server, 2000)}")
    expect(tab.answer).to_contain_text("Message 1999 of 2000.")
    expect(tab.answer).to_be_in_viewport()
    assert tab.by("message").count() < 100, "all of them are on the page"

    tab.by("earlier").scroll_into_view_if_needed()
    first = tab.by("message").first
    name, top = first.get_attribute("data-message-id"), first.bounding_box()
    before = tab.by("message").count()
    tab.by("earlier").click()
    eventually(tab.by("message").count, lambda count: count > before)
    assert top is not None
    moved = tab.page.locator(f'[data-message-id="{name}"]').bounding_box
    # The message may move by the button's height at most.
    eventually(moved, lambda now: now is not None and abs(now["y"] - top["y"]) < 60)

    tab.send("One more")
    expect(tab.answer).to_have_text("Here it is.")
    expect(tab.answer).to_be_in_viewport()


def test_message_of_100_kilobytes_arrives_whole_in_both_directions(
    provider: Provider, open_tab: OpenTab
) -> None:
    long = " ".join(f"word{n:06}" for n in range(9_500))
    assert len(long) > 100_000
    provider.answer(long, [long])
    tab = open_tab()
    tab.send(long)

    assert tab.answer_text() == long
    assert prompt_of(tab) == long
    shown = tab.prompts.first.inner_text
    while tab.by("show-more").count():
        before = len(shown())
        tab.by("show-more").click()
        eventually(lambda: len(shown()), lambda now, before=before: now > before)
    expect(tab.prompts.first).to_contain_text("word009499")


def test_answer_of_50000_tokens_arrives_whole_and_shifts_nothing(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    tokens = [f"t{n}" + ("\n\n" if n % 100 == 99 else " ") for n in range(50_000)]
    provider.answer("Everything", [gate, *tokens])
    tab = open_tab()
    tab.page.evaluate(WATCH_SHIFTS)
    send_and_watch(tab, "Everything")
    gate.set()

    assert tab.answer_text() == " ".join("".join(tokens).split())
    expect(tab.answer.locator("p").last).to_be_in_viewport()
    assert shift(tab) < SHIFT, tab.page.evaluate("window.shifted")


def test_pasted_megabyte_is_sent_and_survives_a_reload(provider: Provider, open_tab: OpenTab) -> None:
    megabyte = "0123456789abcde " * 65_536
    provider.answer(megabyte.strip(), ["That was long."])
    provider.answer(megabyte, ["That was long."])
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    composer = tab.by("composer")
    expect(composer).to_be_focused()
    tab.page.evaluate("text => navigator.clipboard.writeText(text)", megabyte)
    tab.page.keyboard.press("ControlOrMeta+V")
    expect(composer).to_have_value(megabyte)
    tab.page.keyboard.press("Enter")

    expect(tab.answer).to_have_text("That was long.")
    assert prompt_of(tab).strip() == megabyte.strip()
    tab.reload()
    expect(tab.answer).to_have_text("That was long.")
    expect(tab.by("show-more")).to_be_visible()


def test_enter_during_a_composition_goes_to_the_input_method(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("日本語です", ["はい。"])
    tab = open_tab()
    composer = tab.by("composer")
    expect(composer).to_be_focused()
    keys = tab.page.context.new_cdp_session(tab.page)
    keys.send("Input.imeSetComposition", {"text": "日本語", "selectionStart": 3, "selectionEnd": 3})
    taking = {"type": "rawKeyDown", "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 229}
    keys.send("Input.dispatchKeyEvent", taking)  # accepts the input method's suggestion
    tab.page.evaluate(FRAMES)
    expect(tab.prompts).to_have_count(0)
    expect(composer).to_have_value("日本語")

    keys.send("Input.insertText", {"text": "日本語です"})
    expect(composer).to_have_value("日本語です")
    tab.page.keyboard.press("Enter")
    expect(tab.prompts).to_have_text("日本語です")
    expect(tab.answer).to_have_text("はい。")


def test_right_to_left_text_is_laid_out_from_right_to_left(provider: Provider, open_tab: OpenTab) -> None:
    hebrew = "שלום, מה השעה ב-Tokyo?"
    provider.answer(
        hebrew,
        ["השעה `12:00`.\n\n", "- אחת\n- שתיים\n\n", "And in English.\n\n", "| א | ב |\n|---|---|\n| 1 | 2 |"],
    )
    tab = open_tab()
    composer = tab.by("composer")
    expect(composer).to_be_editable()
    composer.fill(hebrew)
    expect(composer).to_have_css("direction", "rtl")
    composer.press("Enter")
    tab.wait_until("completed")

    expect(tab.prompts.locator(".bubble")).to_have_css("direction", "rtl")
    for text, direction in (("השעה", "rtl"), ("And in English.", "ltr")):
        expect(tab.answer.locator("p", has_text=text)).to_have_css("direction", direction)
    expect(tab.answer.locator("ul")).to_have_css("direction", "rtl")
    expect(tab.answer.locator("code")).to_have_text("12:00")
    expect(tab.by("title")).to_have_css("direction", "rtl")


PUT = """([field, length]) => {
  const area = document.querySelector(`[data-testid="${field}"]`);
  const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set;
  set.call(area, "a".repeat(length));
  area.dispatchEvent(new Event("input", { bubbles: true }));
}"""
LENGTH = """(field) => document.querySelector(`[data-testid="${field}"]`).value.length"""


def test_text_that_no_message_can_hold_stays_where_it_was_written(
    provider: Provider, open_tab: OpenTab
) -> None:
    """Longer texts used to close the socket, which broke every other action of the page."""
    tab = open_tab()
    provider.answer("Hello", ["Hi."])
    provider.answer("Still there?", ["Yes."])
    tab.send("Hello")
    expect(tab.answers).to_have_count(1)
    tab.page.evaluate(PUT, ["composer", 4_000_001])
    tab.by("send").click()
    expect(tab.by("too-long")).to_contain_text("4,000,001 characters")
    assert tab.page.evaluate(LENGTH, "composer") == 4_000_001
    expect(tab.prompts).to_have_count(1)
    tab.page.evaluate(PUT, ["composer", 0])
    expect(tab.by("too-long")).to_have_count(0)
    tab.send("Still there?")
    expect(tab.answers).to_have_count(2)
