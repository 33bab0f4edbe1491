"""Test the composer: text goes to the thread that the user sees, and is never lost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from playwright.sync_api import Dialog, expect

from tests.browser.conversation.test_uploads import PICTURE
from tests.support.browser.chat import FRAMES, HALF, WORDS, Chat, begun, counting, eventually, in_production
from tests.support.browser.rows import prompts_of
from tests.support.browser.server import Server
from tests.support.browser.sockets import slow_tab
from tests.support.providers.provider import Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]


def test_a_fast_enter_goes_to_the_thread_that_was_turned_to(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    tab, slow = slow_tab(open_tab)
    left, right = begun(provider, tab, "Left"), begun(provider, tab, "Right")
    provider.answer("For the left one", ["Here."])
    tab.by("composer").fill("a draft of the right one")
    expect(tab.answers).to_have_count(1)
    with slow.holding():
        tab.page.locator(f'[data-thread-id="{left}"] a').click()
        tab.page.wait_for_url(f"**/{left}")
        composer = tab.by("composer")
        expect(composer).to_have_value("")
        expect(composer).to_be_focused()
        composer.fill("For the left one")
        composer.press("Enter")
        expect(composer).to_have_value("")
        expect(tab.prompts).to_have_text("Right")  # the server has not answered; no other text is shown
        expect(tab.by("messages").locator(".column")).to_have_attribute("inert", "")
        eventually(lambda: slow.said, lambda said: "For the left one" in said)

    expect(tab.prompts).to_have_text(["Left", "For the left one"])
    expect(tab.answer).to_have_text("Here.")
    assert prompts_of(server, left) == ["Left", "For the left one"]
    assert prompts_of(server, right) == ["Right"]
    tab.page.locator(f'[data-thread-id="{right}"] a').click()
    expect(tab.by("composer")).to_have_value("a draft of the right one")


def test_a_new_chat_is_new_before_the_server_knows_of_it(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    tab, slow = slow_tab(open_tab)
    left = begun(provider, tab, "Old")
    provider.answer("Brand new", ["New."])
    with slow.holding():
        tab.by("new-chat").click()
        expect(tab.by("suggestion").first).to_be_visible()
        tab.by("composer").fill("Brand new")
        tab.by("composer").press("Enter")
        eventually(lambda: slow.said, lambda said: "Brand new" in said)
    tab.page.wait_for_url(re.compile(f"/chat/(?!{left})thread_"))
    expect(tab.answer).to_have_text("New.")
    assert prompts_of(server, left) == ["Old"]


def test_a_new_chat_after_a_sent_message_is_a_new_thread(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    """The page reloads as soon as the address changes; the user writes as soon as the composer is ready."""
    tab = open_tab("/")
    prompts = [f"One of many, {n}" for n in range(4)]
    found: list[str] = []
    for prompt in prompts:
        provider.answer(prompt, [f"{prompt}: well."])
        composer = tab.by("composer")
        composer.fill(prompt)
        composer.press("Enter")
        tab.page.wait_for_url("**/chat/thread_*")
        found.append(tab.thread_id)
        tab.page.goto(f"{server.url}/")
        expect(tab.by("suggestion").first).to_be_visible()
    eventually(lambda: [prompts_of(server, each) for each in found], lambda said: all(said))
    assert [prompts_of(server, each) for each in found] == [[prompt] for prompt in prompts]
    expect(tab.page).to_have_url(f"{server.url}/")


def test_two_messages_on_the_page_of_a_new_chat_are_one_thread(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    tab, slow = slow_tab(open_tab)
    provider.answer("The first of two", ["One."])
    provider.answer("The second of two", ["Two."])
    tab.by("new-chat").click()
    with slow.holding():
        for prompt in ("The first of two", "The second of two"):
            tab.by("composer").fill(prompt)
            tab.by("composer").press("Enter")
        eventually(lambda: slow.said, lambda said: "The second of two" in said)
    tab.page.wait_for_url("**/chat/thread_*")
    expect(tab.answer).to_have_text("Two.")
    assert prompts_of(server, tab.thread_id) == ["The first of two", "The second of two"]


def test_pictures_are_seen_while_they_are_sent(provider: Provider, open_tab: OpenTab) -> None:
    tab, slow = slow_tab(open_tab)
    begun(provider, tab, "Before the picture")
    provider.answer("Look", ["Nice."])
    tab.by("file-input").set_input_files([PICTURE])
    expect(tab.by("chosen-file")).to_have_attribute("data-ready", "true")
    with slow.holding():
        tab.by("composer").fill("Look")
        tab.by("composer").press("Enter")
        picture = tab.by("sending-picture")
        expect(picture).to_be_visible()
        assert picture.evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 1
    expect(tab.by("file-picture")).to_be_visible()
    expect(picture).to_have_count(0)
    expect(tab.answer).to_have_text("Nice.")


def test_a_page_that_is_left_during_an_upload_asks_and_says_what_to_give_again(
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("With a picture", ["Seen."])
    tab = open_tab()
    tab.page.route("**/uploads", lambda route: None)  # the upload never arrives
    tab.by("composer").click()
    tab.by("file-input").set_input_files([PICTURE])
    expect(tab.by("chosen-file")).to_have_attribute("data-ready", "false")
    tab.by("composer").fill("With a picture")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    tab.page.once("dialog", stay)
    tab.page.evaluate("location.reload()")
    eventually(lambda: tab.page.evaluate("1") and asked, bool)
    assert asked == ["beforeunload"]
    expect(tab.by("chosen-file")).to_have_count(1)
    tab.page.once("dialog", lambda dialog: dialog.accept())
    tab.page.reload()

    expect(tab.by("refused-file")).to_contain_text("The upload of dot.png was interrupted")
    expect(tab.by("composer")).to_have_value("With a picture")
    tab.by("composer").press("Enter")
    expect(tab.by("send")).to_be_disabled()  # an incomplete message is not sent
    expect(tab.by("composer")).to_have_value("With a picture")
    tab.page.unroute_all()
    tab.by("file-input").set_input_files([PICTURE])
    expect(tab.by("refused-file")).to_have_count(0)
    expect(tab.by("chosen-file")).to_have_attribute("data-ready", "true")
    tab.send("With a picture")
    expect(tab.answer).to_have_text("Seen.")
    expect(tab.by("file-picture")).to_be_visible()


def test_queued_message_is_taken_back_or_sent_at_once(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer("Count", counting(gate))
    provider.answer("Better", ["Better it is."])
    provider.answer("Last", ["The last."])
    tab = open_tab()
    tab.send("Count")
    tab.wait_for_half()
    for text in ("Worse", "Last", "Better", "Never"):
        tab.by("composer").fill(text)
        tab.by("composer").press("Enter")
    waiting = tab.page.locator('[data-queued="true"]')
    expect(waiting).to_have_count(4)
    waiting.last.get_by_test_id("withdraw").click()
    expect(waiting).to_have_count(3)
    tab.by("composer").fill("and a draft")
    waiting.first.get_by_test_id("take-back").click()
    expect(tab.by("composer")).to_have_value("Worse\n\nand a draft")
    expect(tab.by("composer")).to_be_focused()
    expect(waiting).to_have_count(2)
    expect(waiting.first.get_by_test_id("queue-state")).to_have_text("Queued")
    tab.by("stop").click()
    expect(waiting.first.get_by_test_id("queue-state")).to_have_text("On hold: the answer was stopped")

    waiting.filter(has_text="Better").get_by_test_id("send-now").click()

    expect(tab.answers).to_have_count(3)
    expect(tab.answers.first).to_have_text(" ".join(WORDS[:HALF]))
    expect(tab.answers.nth(1)).to_have_text("Better it is.")
    expect(tab.answer).to_have_text("The last.")
    tab.reload()
    expect(tab.answers).to_have_count(3)
    expect(tab.by("composer")).to_have_value("Worse\n\nand a draft")  # restored only once


def test_field_grows_with_its_lines_and_esc_stops_the_answer(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer("one\ntwo", counting(gate))
    tab = open_tab()
    composer = tab.by("composer")
    expect(composer).to_be_focused()
    low = (composer.bounding_box() or {})["height"]
    composer.press_sequentially("one")
    composer.press("Shift+Enter")
    composer.press_sequentially("two")
    expect(composer).to_have_value("one\ntwo")
    assert (composer.bounding_box() or {})["height"] > low
    composer.fill("\n".join(map(str, range(40))))
    expect(composer).to_have_css("height", "200px")
    expect(composer).to_have_css("overflow-y", "auto")
    composer.fill("one\ntwo")
    composer.press("Enter")
    tab.wait_for_half()
    expect(composer).to_be_focused()
    composer.press("Escape")
    expect(tab.by("stopped")).to_be_visible()
    expect(tab.answer).to_have_text(" ".join(WORDS[:HALF]))


def test_return_on_a_touch_keyboard_breaks_the_line_and_the_button_sends(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    provider.answer("one\ntwo", ["Both."])
    tab = open_tab(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    composer = tab.by("composer")
    expect(composer).to_have_attribute("enterkeyhint", "enter")
    composer.press_sequentially("one")
    composer.press("Enter")
    composer.press_sequentially("two")
    composer.press("Shift+Enter")
    expect(composer).to_have_value("one\ntwo\n")
    composer.fill("one\ntwo")
    tab.by("send").tap()
    expect(tab.answer).to_have_text("Both.")
    tab.prompts.first.hover()
    tab.by("edit").first.tap()
    field = tab.by("edit-field")
    field.press("Enter")
    expect(field).to_have_value("one\ntwo\n")
    provider.answer("With keys", ["Both again."])
    composer.fill("With keys")
    composer.press("Control+Enter")  # on an attached keyboard
    expect(tab.answer).to_have_text("Both again.")


CONFIRM = """(field) => field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true }))"""
"""Return that ends a composition, as Safari reports it: after the composition, with key code 229."""


def test_return_that_confirms_a_composition_sends_and_saves_nothing(
    provider: Provider, open_tab: OpenTab
) -> None:
    begun(provider, tab := open_tab(), "Begun")
    composer = tab.by("composer")
    composer.click()
    keyboard = tab.page.context.new_cdp_session(tab.page)
    keyboard.send("Input.imeSetComposition", {"text": "にほん", "selectionStart": 3, "selectionEnd": 3})
    composer.press("Enter")
    composer.evaluate(CONFIRM)
    tab.page.evaluate(FRAMES)
    expect(composer).to_have_value(re.compile("にほん"))
    expect(tab.prompts).to_have_text("Begun")

    tab.prompts.first.hover()
    tab.by("edit").first.click()
    field = tab.by("edit-field")
    field.fill("日本")
    field.evaluate(CONFIRM)
    field.evaluate(CONFIRM.replace("Enter", "Escape"))
    tab.page.evaluate(FRAMES)
    expect(field).to_have_value("日本")

    tab.page.keyboard.press("Control+k")
    words = tab.by("palette").get_by_role("combobox")
    words.fill("Begun")
    expect(tab.by("palette").get_by_role("option").first).to_be_visible()
    words.evaluate(CONFIRM)
    tab.page.evaluate(FRAMES)
    expect(tab.by("palette")).to_be_visible()


def test_long_paste_has_one_direction_and_a_short_text_finds_its_own(open_tab: OpenTab) -> None:
    """With `dir="auto"` on 20,000 lines the browser resolves a direction for each, which takes seconds."""
    tab = open_tab(permissions=["clipboard-read", "clipboard-write"])
    composer = tab.by("composer")
    expect(composer).to_be_focused()
    for line, direction in (("a line of words", "ltr"), ("שורה של מילים", "rtl")):
        composer.fill("")
        tab.page.evaluate("text => navigator.clipboard.writeText(text)", "\n".join([line] * 2_000))
        tab.page.keyboard.press("ControlOrMeta+V")  # to fill it in inserts line by line
        expect(composer).to_have_attribute("dir", direction)
        assert composer.input_value().count(line) == 2_000
        composer.fill("short")
        expect(composer).to_have_attribute("dir", "auto")
