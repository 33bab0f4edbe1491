"""Test in a browser that every message is answered and that nothing is ever lost."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from playwright.sync_api import expect

from tests.support.browser.chat import (
    FRAMES,
    HALF,
    WORDS,
    Chat,
    eventually,
    forgive_outage,
    half_answered,
    in_production,
)
from tests.support.browser.rows import prompts_of
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider, Refuse

OpenTab = Callable[..., Chat]
HOSTILE = """<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>
<a href="javascript:window.hacked=1">one</a> [two](javascript:window.hacked=1) <iframe src="/"></iframe>"""


def test_a_reload_in_the_middle_loses_and_repeats_nothing(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    tab = half_answered(provider, gate, open_tab)

    tab.reload()

    tab.wait_for_half()
    gate.set()
    assert tab.answer_text().split() == WORDS
    expect(tab.prompts).to_have_count(1)


@in_production
def test_a_second_browser_sees_the_same_answer_grow(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    first = half_answered(provider, gate, open_tab)
    expect(first.prompts).to_have_text("Count")
    expect(first.by("composer")).to_have_value("")

    second = open_tab(f"/chat/{first.thread_id}")

    second.wait_for_half()
    gate.set()
    assert second.answer_text().split() == first.answer_text().split() == WORDS


@in_production
def test_stop_keeps_what_was_written_and_continue_finishes_it(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    tab = half_answered(provider, gate, open_tab)

    tab.by("stop").click()
    expect(tab.by("stopped")).to_be_visible()
    gate.set()  # the provider would continue
    eventually(lambda: provider.writing, lambda answers: answers == 0)
    tab.page.evaluate(FRAMES)

    assert tab.words() == tab.stored().split() == WORDS[:HALF], "it went on after the stop"
    tab.by("continue").click()
    assert tab.answer_text().split() == WORDS
    expect(tab.answer.locator(".md > p")).to_have_count(1)  # one paragraph: the continuation leaves no seam


@in_production
def test_a_tool_is_called_and_its_result_can_be_read(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Add", [Call("calculator", {"expression": "19 * 23"})], ["It is ", "437."])
    tab = open_tab()
    tab.send("Add")

    row = tab.by("tool")
    expect(row).to_have_attribute("data-state", "done")
    expect(row).to_have_attribute("data-tool-name", "calculator")
    row.locator("summary").click()
    expect(row).to_contain_text("437")
    expect(tab.answer).to_contain_text("It is 437.")
    outcome = provider.asked("Add")[-1]["messages"][-1]
    assert outcome["role"] == "tool"
    assert "437" in outcome["content"]


@in_production
def test_tabs_carry_on_after_a_kill_9_in_the_middle_of_an_answer_and_of_a_draft(
    provider: Provider, gate: threading.Event, server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("Hello over there", ["Hello."])
    tab, writing = half_answered(provider, gate, open_tab), open_tab()
    composer = writing.by("composer")
    expect(composer).to_be_editable()
    composer.press_sequentially("Hello ")

    server.kill()
    tab.wait_until_cut_off()
    assert tab.words() == WORDS[:HALF], "what was on the page went away with the server"
    composer.press_sequentially("over ")
    gate.set()
    server.start()
    expect(writing.by("reconnect")).to_have_count(0)
    composer.press_sequentially("there")  # typed at the old cursor position

    expect(composer).to_be_focused()
    expect(composer).to_have_value("Hello over there")
    composer.press("Enter")
    expect(writing.answer).to_contain_text("Hello.")
    expect(writing.prompts).to_have_count(1)
    assert tab.answer_text().split() == WORDS
    expect(tab.answer.locator(".md > p")).to_have_count(1)  # one paragraph: the continuation leaves no seam
    expect(tab.prompts).to_have_count(1)
    tab.send("Count")  # the tab still works
    expect(tab.prompts).to_have_count(2)
    expect(tab.answers).to_have_count(2)
    assert tab.answer_text().split() == WORDS
    forgive_outage(page_errors)


@in_production
def test_a_thread_that_does_not_exist_is_a_page_with_a_way_back(open_tab: OpenTab) -> None:
    tab = open_tab("/chat/thread_00000000000000000000000000")
    expect(tab.by("page-note")).to_contain_text("not found")

    tab.page.get_by_role("link", name=re.compile("new chat", re.IGNORECASE)).first.click()

    expect(tab.by("composer")).to_be_visible()
    expect(tab.by("page-note")).to_have_count(0)


@in_production
def test_html_and_script_are_shown_as_text_and_nothing_runs(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer(HOSTILE, [HOSTILE])
    tab = open_tab()
    tab.send(HOSTILE)
    tab.wait_until("completed")

    expect(tab.prompts).to_contain_text("<script>window.hacked=1</script>")
    expect(tab.answer).to_contain_text("<script>window.hacked=1</script>")
    expect(tab.answer).to_contain_text("onerror=")
    for tag in ("img", "script", "iframe", '[href^="javascript:"]'):
        assert tab.by("messages").locator(tag).count() == 0, tag
    for link in tab.answer.get_by_text("two").all():
        link.click()
    assert tab.page.evaluate("window.hacked") is None


@in_production
def test_a_refusal_is_the_providers_own_sentence_and_retry_works(
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("Hello", [Refuse(401, "Incorrect API key provided: none.")])
    tab = open_tab()
    tab.send("Hello")
    expect(tab.by("error")).to_contain_text("Incorrect API key provided: none.")
    expect(tab.by("failed")).to_contain_text("key")

    provider.answer("Hello", ["Hello yourself."])
    tab.by("retry").click()

    assert tab.answer_text() == "Hello yourself."
    expect(tab.by("failed")).to_have_count(0)


@in_production
def test_a_blank_message_is_not_sent(provider: Provider, server: Server, open_tab: OpenTab) -> None:
    provider.answer("Not blank", ["No."])
    tab = open_tab()
    composer = tab.by("composer")
    composer.fill("  \n ")
    composer.press("Enter")
    assert tab.page.url.rstrip("/") == server.url
    tab.send("Not blank")  # a blank message sent earlier would precede it

    assert tab.answer_text() == "No."
    expect(tab.prompts).to_have_text("Not blank")
    assert prompts_of(server, tab.thread_id) == ["Not blank"]
    assert len(provider.asked("Not blank")[-1]["messages"]) == 2, "the instructions and the prompt"


@in_production
def test_strange_characters_arrive_as_they_were_written(provider: Provider, open_tab: OpenTab) -> None:
    strange = "שלום مرحبا 🏳️‍🌈 a\u202eb ﷽ \u2028 end"
    provider.answer(strange, [strange])
    tab = open_tab()
    tab.send(strange)
    tab.wait_until("completed")

    assert tab.stored() == strange
    expect(tab.prompts).to_contain_text("שלום مرحبا 🏳️‍🌈")
    expect(tab.answer).to_contain_text("שלום مرحبا 🏳️‍🌈")


@in_production
def test_another_tabs_thread_appears_in_the_list_by_itself(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("A new thread", ["Yes."])
    watching, writing = open_tab(), open_tab()
    expect(watching.by("thread-list")).not_to_contain_text("A new thread")

    writing.send("A new thread")

    expect(watching.by("thread-list")).to_contain_text("A new thread")
