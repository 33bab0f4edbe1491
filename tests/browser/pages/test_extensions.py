"""Test the three examples of extensions in one app: a page, a tool view and an agent."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from agent_core import Agent, AgentApi
from agent_core.testing import ScriptedModel
from tests.support.browser.chat import HALF, WORDS, Chat, counting, eventually, forgive_outage
from tests.support.browser.rows import on_rows
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider

OpenTab = Callable[..., Chat]


@pytest.fixture
def server(extended: Server) -> Server:
    return extended


def ask(tab: Chat, question: str) -> None:
    """Send a question on the help desk page."""
    line = tab.page.get_by_placeholder("How can we help?")
    line.fill(question)
    line.press("Enter")


def answer(tab: Chat) -> list[str]:
    """Return the words of the newest message on the help desk page."""
    rows = tab.page.locator(".page-column article")
    return rows.last.inner_text().split() if rows.count() else []


def test_an_added_page_shows_an_answer_word_by_word_and_outlives_the_server(
    provider: Provider, gate: threading.Event, server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("Count", counting(gate))
    tab, other = open_tab("/desk"), open_tab("/desk")
    ask(tab, "Count")
    eventually(lambda: answer(tab), lambda words: words == WORDS[:HALF])

    server.kill()
    tab.wait_until_cut_off()
    server.start()

    eventually(lambda: answer(tab), lambda words: words[:HALF] == WORDS[:HALF])
    gate.set()
    eventually(lambda: answer(tab), lambda words: words == WORDS)
    tab.reload()
    eventually(lambda: answer(tab), lambda words: words == WORDS)
    expect(tab.by("thread-list")).to_contain_text("Help desk")
    assert answer(other) == [], "another browser's desk is another's"
    forgive_outage(page_errors)


def test_an_added_page_stops_the_agent(provider: Provider, gate: threading.Event, open_tab: OpenTab) -> None:
    provider.answer("Count on", counting(gate))
    tab = open_tab("/desk")
    ask(tab, "Count on")
    eventually(lambda: answer(tab), lambda words: words == WORDS[:HALF])
    tab.page.get_by_role("button", name="Stop").click()
    expect(tab.page.get_by_role("button", name="Stop")).to_have_count(0)
    eventually(lambda: answer(tab), lambda words: words == WORDS[:HALF])


def test_a_tool_has_the_view_that_was_registered_and_others_have_their_row(
    provider: Provider, open_tab: OpenTab
) -> None:
    calls = [
        Call("calculator", {"expression": "19 * 23"}),
        Call("clock", {"timezone": "UTC"}, "call_2"),
    ]
    provider.answer("Add", calls, ["It is 437."])
    tab = open_tab()
    tab.send("Add")
    expect(tab.by("tool-view")).to_have_text("19 * 23 = 437")
    expect(tab.by("tool")).to_have_attribute("data-tool-name", "clock")
    tab.wait_until("completed")
    tab.reload()
    expect(tab.by("tool-view")).to_have_text("19 * 23 = 437")


def test_an_added_agent_can_be_chosen_and_answers(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Roses", ["Violets."])
    provider.answer("Prose", ["Plain."])
    tab = open_tab()
    tab.by("pick-agent").select_option("poet")
    tab.send("Roses")
    assert tab.answer_text() == "Violets."
    assert "verse" in provider.asked("Roses")[-1]["messages"][0]["content"]
    expect(tab.by("pick-agent")).to_have_value("poet")
    expect(tab.by("pick-model")).to_have_count(0)

    tab.by("pick-agent").select_option("assistant")
    expect(tab.by("pick-model")).to_be_visible()
    tab.send("Prose")
    expect(tab.answers).to_have_count(2)
    assert tab.answer_text() == "Plain."
    assert "verse" not in provider.asked("Prose")[-1]["messages"][0]["content"]


def test_a_thread_whose_agent_is_gone_says_so_and_can_be_given_to_another(
    provider: Provider, server: Server, open_tab: OpenTab
) -> None:
    async def begin(api: AgentApi) -> str:
        api.store.agents.add(Agent("old name", ScriptedModel([])))
        return (await api.create_thread("Who is there?", agent="old name")).id

    provider.answer("Who is there?", ["The assistant."])
    tab = open_tab("/chat/" + on_rows(server, begin))
    expect(tab.by("agent-wait")).to_contain_text("No running process has the agent 'old name'")
    expect(tab.by("pick-agent").locator("option:checked")).to_have_text("old name")
    row = tab.page.locator(f'[data-testid="thread-item"][data-thread-id="{tab.thread_id}"]')
    expect(row).to_have_attribute("data-tone", "waiting")
    expect(tab.page.locator(".status")).to_have_text("Needs your attention")
    tab.by("let-assistant").click()
    assert tab.answer_text() == "The assistant."
    expect(tab.by("pick-agent")).to_have_value("assistant")
    expect(tab.by("agent-wait")).to_have_count(0)
    expect(row).to_have_attribute("data-tone", "")
