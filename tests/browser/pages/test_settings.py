"""Test settings, usage and schedules in a browser: choices take effect and survive a reload."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.browser.chat import Chat
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

OpenTab = Callable[..., Chat]
SIZE = "getComputedStyle(document.documentElement).fontSize"


@pytest.fixture
def server(extended: Server) -> Server:
    return extended


def test_theme_and_language_apply_to_every_page_and_survive_a_reload(open_tab: OpenTab) -> None:
    tab = open_tab()
    assert tab.page.evaluate(SIZE) == "16px"
    tab.by("settings").click()
    tab.page.wait_for_url("**/settings")
    tab.by("choose-density").get_by_label("Compact").check(force=True)
    tab.by("choose-theme").get_by_label("Dark").check(force=True)
    tab.by("choose-language").select_option("de")
    expect(tab.by("tab-usage")).to_have_text("Verbrauch")

    tab.page.reload()
    assert float(tab.page.evaluate(SIZE).removesuffix("px")) < 16, "it was drawn large first"
    expect(tab.by("tab-usage")).to_have_text("Verbrauch")
    expect(tab.page.locator("html")).to_have_class(re.compile("dark"))
    expect(tab.page.locator("html")).to_have_attribute("lang", "de")
    expect(tab.by("choose-density").get_by_label("Kompakt")).to_be_checked()

    tab.go("/")
    expect(tab.by("composer")).to_have_attribute("placeholder", "Schreib eine Nachricht")


def test_a_chat_that_was_exported_is_imported(
    provider: Provider, open_tab: OpenTab, page_errors: list[str], tmp_path: Path
) -> None:
    tab = open_tab()
    tab.ask(provider, "Keep this", ["It is kept."])
    original = tab.page.url
    tab.by("share-menu").click()
    with tab.page.expect_download() as download:
        tab.by("menu-export-json").click()
    kept = tmp_path / "kept.json"
    download.value.save_as(kept)
    tab.go("/settings")
    (tmp_path / "other.json").write_text("{}")
    tab.by("import-file").set_input_files(tmp_path / "other.json")
    expect(tab.by("import-error")).to_contain_text("not a chat export")
    tab.by("import-file").set_input_files(kept)
    tab.page.wait_for_url(re.compile(r"/chat/thread_"))
    expect(tab.answer).to_contain_text("It is kept.")
    assert tab.page.url != original

    provider.answer("Go on", ["Gladly."])
    tab.send("Go on")
    expect(tab.answer).to_contain_text("Gladly.")
    assert [one["content"] for one in provider.asked("Go on")[-1]["messages"]][-3:-1] == [
        "Keep this",
        "It is kept.",
    ]
    page_errors[:] = [error for error in page_errors if "422" not in error]  # of the rejected file


def test_the_key_that_sends_is_the_one_that_was_chosen(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("one\ntwo", ["Both."])
    tab = open_tab("/settings")
    tab.by("choose-send").get_by_label("Ctrl+Enter").check(force=True)
    tab.go("/")
    composer = tab.by("composer")
    expect(composer).to_be_editable()
    composer.fill("one")
    composer.press("Enter")
    composer.press_sequentially("two")
    expect(composer).to_have_value("one\ntwo")
    composer.press("Control+Enter")
    tab.page.wait_for_url(re.compile(r"/chat/thread_"))
    assert tab.answer_text() == "Both."


def test_model_and_instructions_belong_to_the_thread_and_hold_from_the_next_step(
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("Hello", ["Scripted."])
    tab = open_tab()
    tab.send("Hello")
    assert tab.answer_text() == "Scripted."

    tab.by("answers-open").click()
    tab.by("answers").get_by_label("Temperature").fill("hot")
    tab.by("answers-save").click()
    expect(tab.by("answers").get_by_role("alert")).to_contain_text("0 to 2")
    tab.by("answers").get_by_label("Temperature").fill("0.25")
    tab.by("answers").get_by_label("Instructions").fill("Speak like a pirate.")
    tab.by("answers-save").click()
    expect(tab.by("answers").get_by_role("alert")).to_have_count(0)
    tab.page.keyboard.press("Escape")
    tab.send("Hello")
    expect(tab.answers).to_have_count(2)
    tab.wait_until("completed")
    asked = provider.asked("Hello")[-1]
    assert "pirate" in asked["messages"][0]["content"]
    assert asked["temperature"] == 0.25

    tab.by("pick-model").select_option("demo/assistant")
    other = open_tab(f"/chat/{tab.thread_id}")
    expect(other.by("pick-model")).to_have_value("demo/assistant")
    other.send("echo: from the demo")
    expect(other.answers).to_have_count(3)
    assert other.answer_text() == "from the demo"
    assert provider.asked("echo: from the demo") == []


def test_a_key_is_shown_once_calls_the_api_and_is_revoked(open_tab: OpenTab, server: Server) -> None:
    tab = open_tab("/settings")
    tab.by("key-name").fill("a script")
    tab.by("create-key").click()
    key = tab.by("new-key").locator("code").inner_text()
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(f"{server.url}/api/threads", headers=headers).status_code == 200
    tab.page.reload()
    expect(tab.by("key-list")).to_contain_text("a script")
    expect(tab.by("new-key")).to_have_count(0)
    assert key not in tab.page.content()
    tab.by("revoke-key").click()
    expect(tab.by("key-list")).to_have_count(0)
    assert httpx.get(f"{server.url}/api/threads", headers=headers).status_code == 401
    tab.page.goto(f"{server.url}/api/docs")
    expect(tab.page.get_by_role("heading", name="Durable agents")).to_be_visible()


def test_a_schedule_is_made_run_and_found_in_its_thread(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("What is new?", ["Nothing."])
    tab = open_tab("/schedules")
    tab.by("schedule-create").click()
    expect(tab.by("error-prompt")).to_be_visible()
    tab.by("schedule-title").fill("Morning")
    tab.by("schedule-prompt").fill("What is new?")
    tab.by("schedule-kind").select_option("weekdays")
    tab.by("schedule-time").fill("08:15")
    expect(tab.by("schedule-upcoming").locator("li")).to_have_count(5)
    tab.by("schedule-create").click()

    row = tab.by("schedule")
    expect(row).to_contain_text("Monday to Friday, 08:15")
    expect(tab.by("schedule-prompt")).to_have_value("")
    row.get_by_test_id("pause").click()
    expect(row).to_have_attribute("data-status", "paused")
    row.get_by_test_id("run-now").click()
    row.get_by_test_id("history").click()
    row.get_by_test_id("runs").get_by_role("link").click()
    tab.page.wait_for_url("**/chat/sched_*")
    assert tab.answer_text() == "Nothing."

    tab.go("/schedules")
    tab.by("delete").click()
    tab.by("delete-confirm").click()
    expect(tab.by("schedule")).to_have_count(0)


def test_usage_is_shown_in_the_settings(provider: Provider, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.ask(provider, "Hello", ["Scripted."])
    tab.by("settings").click()
    tab.by("tab-usage").click()
    expect(tab.by("usage-models")).to_contain_text("openai/scripted")
    expect(tab.by("usage-bars").locator("li")).to_have_count(30)
    tab.by("usage-span").select_option("7")
    expect(tab.by("usage-bars").locator("li")).to_have_count(7)
    expect(tab.by("usage-requests").locator("dd")).to_have_text(re.compile(r"[1-9]"))


def test_new_chats_begin_as_the_settings_say_in_every_tab(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Hello", ["Well."])
    tab = open_tab("/settings")
    other = open_tab("/")
    other.by("answers-open").click()
    expect(tab.by("default-agent")).to_have_value("assistant")
    tab.by("default-instructions").fill("Be brief.")
    tab.by("defaults-save").click()
    expect(tab.by("defaults-saved")).to_be_visible()
    expect(other.by("answers").locator("[name=instructions]")).to_have_value("Be brief.")
    tab.go("/")
    tab.send("Hello")
    assert tab.answer_text() == "Well."
    assert provider.requests[-1]["messages"][0]["content"].startswith("Be brief.")
    tab.go("/settings")
    expect(tab.by("default-instructions")).to_have_value("Be brief.")
    tab.by("default-instructions").fill("")
    tab.by("defaults-save").click()  # restores the defaults for other tests
    expect(tab.by("defaults-saved")).to_be_visible()
