"""Test actions on messages in a browser: versions, forks, approvals and shared links."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.support.browser.chat import HALF, WORDS, Chat, counting, in_production
from tests.support.providers.provider import Call, Provider

OpenTab = Callable[..., Chat]
MAIL = {"to": "ada@example.org", "subject": "Hi", "body": "Hello"}


def action(message: Locator, name: str) -> Locator:
    """Return a button of a message's action row, which appears on hover."""
    message.hover()
    return message.get_by_test_id(name)


@in_production
def test_a_message_is_edited_and_both_versions_can_be_read(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Where to?", ["Rome?"])
    provider.answer("Where to in the north?", ["Oslo."])
    tab = open_tab()
    tab.send("Where to?")
    assert tab.answer_text() == "Rome?"

    action(tab.prompts.first, "edit").click()
    tab.by("edit-field").fill("Where to in the north?")
    tab.by("edit-save").click()

    expect(tab.prompts).to_have_count(1)
    expect(tab.prompts).to_contain_text("in the north")
    expect(tab.answer).to_contain_text("Oslo.")
    tab.wait_until("completed")
    tab.reload()
    expect(tab.by("versions")).to_contain_text("2/2")
    action(tab.prompts.first, "version-before").click()
    expect(tab.answer).to_contain_text("Rome?")
    expect(tab.by("versions")).to_contain_text("1/2")


@in_production
def test_a_cancelled_edit_changes_nothing(provider: Provider, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.ask(provider, "Where to?", ["Rome?"])

    action(tab.prompts.first, "edit").click()
    tab.by("edit-field").fill("Elsewhere")
    tab.by("edit-field").press("Escape")

    expect(tab.by("edit-field")).to_have_count(0)
    expect(tab.prompts).to_contain_text("Where to?")


@in_production
def test_an_answer_is_asked_for_again_and_a_fork_is_a_thread_of_its_own(
    provider: Provider, open_tab: OpenTab
) -> None:
    tab = open_tab()
    tab.ask(provider, "Dice", ["Four."])
    provider.answer("Dice", ["Six."])

    action(tab.answer, "regenerate").click()

    expect(tab.answer).to_contain_text("Six.")
    tab.wait_until("completed")
    expect(tab.by("versions")).to_contain_text("2/2")
    original = tab.thread_id
    action(tab.answer, "fork").click()
    tab.page.wait_for_url(lambda url: original not in url and "/chat/" in url)
    expect(tab.answer).to_contain_text("Six.")
    expect(tab.by("versions")).to_have_count(0)


@in_production
def test_arguments_are_changed_before_a_tool_may_run(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Mail Ada", [Call("send_email", MAIL)], ["Sent."])
    tab = open_tab()
    tab.send("Mail Ada")
    fields = tab.by("approval-field")
    expect(fields).to_have_count(3)

    tab.page.locator('[data-name="to"]').fill("bob@example.org")
    expect(tab.by("approve")).to_have_text(re.compile("with changes"))
    tab.by("approve").click()

    expect(tab.by("tool")).to_have_attribute("data-state", "done")
    tab.wait_until("completed")
    outcome = provider.asked("Mail Ada")[-1]["messages"][-1]
    assert "bob@example.org" in outcome["content"]
    tab.reload()
    expect(tab.by("tool-status")).to_contain_text(re.compile(r"[0-9] m?s"))  # the duration is known


@in_production
def test_inbox_answers_what_waits_in_another_thread(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Ask me", [Call("ask_human", {"question": "Which river?"})], ["Thank you."])
    tab, other = open_tab(), open_tab()
    tab.send("Ask me")
    expect(other.by("inbox-count")).to_be_visible()

    other.by("inbox-link").click()
    item = other.by("inbox-item").filter(has_text="Which river?")
    item.get_by_test_id("answer").fill("Elbe")
    item.get_by_test_id("answer-send").click()

    expect(item).to_have_count(0)
    expect(tab.answer).to_contain_text("Thank you.")
    assert "Elbe" in provider.asked("Ask me")[-1]["messages"][-1]["content"]


@in_production
def test_a_thread_is_read_by_its_link_until_that_is_taken_back(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    tab = open_tab()
    tab.ask(provider, "Share this", ["With pleasure."])
    tab.by("vote-up").click()
    expect(tab.by("vote-up")).to_have_attribute("aria-pressed", "true")
    tab.by("share-menu").click()
    with tab.page.expect_download() as download:
        tab.by("menu-export-md").click()
    text = download.value.path().read_text()
    assert re.fullmatch(
        r"# Share this\n\n## You · .*\n\nShare this\n\n## Assistant · .*\n\nWith pleasure\.\n", text
    )

    tab.by("share-menu").click()
    tab.by("menu-share").click()
    tab.by("share").click()
    link = tab.by("share-link").input_value()
    reader = tab.page.context.new_page()
    reader.goto(link)
    expect(reader.get_by_test_id("shared")).to_contain_text("With pleasure.")
    expect(reader.get_by_test_id("composer")).to_have_count(0)
    expect(reader.get_by_test_id("thread-list")).to_have_count(0)

    provider.answer("Count", counting(gate))
    tab.page.keyboard.press("Escape")
    tab.send("Count")
    growing = reader.locator('[data-testid="stream"][data-live="true"]')
    expect(growing).to_contain_text(WORDS[HALF - 1])
    expect(growing).not_to_contain_text(WORDS[HALF])
    gate.set()
    expect(reader.get_by_test_id("message").last).to_contain_text(WORDS[-1])

    tab.wait_until("completed")
    tab.by("share-menu").click()
    tab.by("menu-share").click()
    tab.by("unshare").click()
    expect(tab.by("share-link")).to_have_count(0)
    expect(reader.get_by_test_id("page-note")).to_contain_text("no longer shared")
    expect(reader.get_by_test_id("shared")).to_have_count(0)
    reader.reload()
    expect(reader.get_by_test_id("page-note")).to_contain_text("Link not found")
