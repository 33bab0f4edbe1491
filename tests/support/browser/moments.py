"""Views that a user opens on a page, one after the other: menus, drawers, dialogs and error messages."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser.chat import Chat


def drawer(tab: Chat) -> None:
    if tab.by("menu").is_visible():
        tab.by("menu").click()
    expect(tab.by("new-chat")).to_be_visible()


def row_menu(tab: Chat) -> None:
    tab.by("thread-menu").first.click()


def palette(tab: Chat) -> None:
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Control+k")
    expect(tab.by("palette-field")).to_be_focused()


def palette_finds_nothing(tab: Chat) -> None:
    tab.by("palette-field").fill("ξξξ")
    expect(tab.by("palette-word")).to_have_attribute("data-query", "ξξξ")


def share_menu(tab: Chat) -> None:
    tab.by("share-menu").click()
    tab.by("menu-share").click()
    share, link = tab.by("share"), tab.by("share-link")
    expect(share.or_(link)).to_be_visible()
    if share.is_visible():
        share.click()
    expect(link).to_be_visible()


def answers(tab: Chat) -> None:
    tab.page.keyboard.press("Escape")
    tab.by("answers-open").click()
    tab.by("answers").locator("input").fill("9")
    tab.by("answers-save").click()
    expect(tab.by("answers").get_by_role("alert")).to_be_visible()
    tab.page.keyboard.press("Escape")


def timeline(tab: Chat) -> None:
    """Open the timeline; beside wide pages it stays open from the first time on."""
    if tab.by("timeline-toggle").get_attribute("aria-expanded") == "false":
        tab.by("timeline-toggle").click()
    expect(tab.by("timeline-row").first).to_be_visible()


def edit(tab: Chat) -> None:
    tab.prompts.first.hover()
    tab.prompts.first.get_by_test_id("edit").click()


def refused_file(tab: Chat) -> None:
    tab.by("file-input").set_input_files({"name": "α", "mimeType": "text/plain", "buffer": b""})
    expect(tab.by("refused-file")).to_be_visible()


def each_kind_of_schedule(tab: Chat) -> None:
    tab.by("schedule-create").click()
    expect(tab.by("error-prompt")).to_be_visible()
    tab.by("schedule-kind").select_option("every")
    tab.by("schedule-amount").fill("0.5")
    tab.by("schedule-kind").select_option("weekly")
    expect(tab.by("schedule-day")).to_be_visible()


def a_wrong_expression(tab: Chat) -> None:
    tab.by("schedule-kind").select_option("cron")
    tab.by("schedule-cron").fill("61 * * * *")
    expect(tab.by("error-cron")).to_be_visible()


def a_schedule(tab: Chat) -> None:
    tab.by("schedule-kind").select_option("every")
    tab.by("schedule-amount").fill("2")
    tab.by("schedule-prompt").fill("Εννέα")
    tab.by("schedule-create").click()
    tab.by("history").first.click()
    tab.by("delete").first.click()
    expect(tab.by("delete-confirm")).to_be_visible()


def no_schedule(tab: Chat) -> None:
    tab.by("delete-confirm").click()
    expect(tab.by("schedule")).to_have_count(0)


MOMENTS: dict[str, list[Callable[[Chat], None]]] = {
    "index": [refused_file, drawer, row_menu, palette, palette_finds_nothing],
    "schedules": [each_kind_of_schedule, a_wrong_expression, a_schedule, no_schedule],
    "done": [edit, share_menu, answers, timeline],
    "waiting": [timeline],
}
"""Functions that open the views, by page or state of a thread, in order."""
