"""Test the run timeline in a browser, and that a server killed from the page restarts."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.support.browser.chat import HALF, WORDS, Chat, counting, eventually, forgive_outage, in_production
from tests.support.browser.server import Server
from tests.support.providers.provider import Call, Provider

OpenTab = Callable[..., Chat]
# Browsers log the absence of a server themselves.
RESTART = 400.0  # seconds


def rows(tab: Chat, kind: str) -> Locator:
    return tab.page.locator(f'[data-testid="timeline-row"][data-kind="{kind}"]')


@in_production
def test_timeline_is_a_list_that_can_be_walked_and_closed(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Add", [Call("calculator", {"expression": "19 * 23"})], ["It is ", "437."])
    tab = open_tab()
    tab.send("Add")
    tab.by("timeline-toggle").click()

    drawer = tab.by("timeline")
    expect(tab.by("timeline-close")).to_be_focused()
    expect(tab.by("timeline-turn")).to_have_attribute("data-status", "ok")
    expect(rows(tab, "model")).to_have_count(2)
    expect(rows(tab, "tool")).to_contain_text("calculator")
    expect(tab.by("durability-committed")).to_have_text("step 2 of 2")
    expect(drawer.get_by_role("listitem").filter(has_text="process")).to_have_count(3)
    expect(tab.by("crash")).to_have_count(0)
    details = rows(tab, "tool").locator(".run-details")
    eventually(lambda: small(details), bool)
    rows(tab, "tool").focus()
    eventually(lambda: small(details), lambda is_small: not is_small)
    expect(details).to_contain_text("done")

    tab.reload()
    expect(rows(tab, "model")).to_have_count(2)  # the browser remembers the open timeline
    tab.by("timeline-row").first.press("Escape")
    expect(drawer).to_have_count(0)
    expect(tab.by("timeline-toggle")).to_be_focused()


def small(element: Locator) -> bool:
    box = element.bounding_box()
    return box is not None and box["width"] <= 1


@in_production
def test_timeline_grows_while_a_turn_runs_and_esc_in_it_stops_nothing(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer("Count", counting(gate))
    tab = open_tab()
    tab.send("Count")
    tab.by("timeline-toggle").click()
    expect(rows(tab, "model")).to_have_attribute("data-status", "running")
    expect(tab.by("durability")).to_have_attribute("data-owner", re.compile(r"^\d+-"))
    tab.wait_for_half()
    expect(tab.by("timeline-close")).to_be_focused()

    tab.page.keyboard.press("Escape")  # focus is in the drawer: Esc closes the drawer, and the agent goes on
    expect(tab.by("timeline")).to_have_count(0)
    tab.by("timeline-toggle").click()
    gate.set()

    assert tab.answer_text().split() == WORDS
    expect(rows(tab, "model")).to_have_attribute("data-status", "ok")
    expect(tab.by("durability-committed")).to_have_text("step 1 of 1")


@in_production
def test_a_turn_that_waits_for_a_person_is_marked_as_waiting(provider: Provider, open_tab: OpenTab) -> None:
    question = Call("ask_human", {"question": "Which lake?"})
    tab = open_tab()
    tab.ask(provider, "Ask me", [question], ["Thank you."], status="awaiting_tool_results")
    tab.by("timeline-toggle").click()
    expect(tab.by("timeline-turn").locator(".dot")).to_have_attribute("data-tone", "waiting")

    tab.by("answer").fill("Como")
    tab.by("answer-send").click()

    tab.wait_until("completed")
    expect(tab.by("timeline-turn").locator(".dot")).to_have_attribute("data-tone", "")


@in_production
def test_timeline_on_a_phone_is_a_sheet_that_does_not_open_by_itself(
    provider: Provider, open_tab: OpenTab
) -> None:
    provider.answer("Hello", ["Hello yourself."])
    tab = open_tab(viewport={"width": 390, "height": 844})
    tab.send("Hello")
    tab.by("timeline-toggle").click()
    expect(tab.page.locator("dialog[open]")).to_contain_text("Run timeline")
    expect(rows(tab, "model")).to_have_count(1)
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("dialog[open]")).to_have_count(0)
    tab.by("timeline-toggle").click()
    expect(tab.page.locator("dialog[open]")).to_be_visible()
    tab.reload()
    expect(tab.by("timeline-toggle")).to_have_attribute("aria-expanded", "false")
    expect(tab.page.locator("dialog[open]")).to_have_count(0)


@in_production
def test_the_server_is_killed_from_the_page_and_the_same_tab_carries_on(
    provider: Provider, gate: threading.Event, server: Server, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("Count", counting(gate))
    with server.twin().serving(supervised=True) as twin:
        tab = open_tab(at=twin)
        tab.send("Count")
        tab.by("timeline-toggle").click()
        tab.wait_for_half()
        panel = tab.by("durability")
        expect(panel).to_have_attribute("data-owner", re.compile(r"^\d+-"))
        before = panel.get_attribute("data-owner") or ""

        tab.by("crash").click()
        expect(tab.by("crash")).to_be_disabled()
        tab.wait_until_cut_off()
        assert tab.words() == WORDS[:HALF], "what was on the page went away with the server"
        gate.set()

        # The supervisor restarts the server, which takes long on a busy machine.
        expect(panel).not_to_have_attribute("data-server", before, timeout=1000 * RESTART)
        assert tab.answer_text().split() == WORDS
        after = panel.get_attribute("data-server") or ""
        assert after != before
        names = [worker.split("-")[0] for worker in (before, after)]
        expect(rows(tab, "recovery")).to_contain_text(
            re.compile(rf"Process {names[0]} ended; {names[1]} took over after \d")
        )
        expect(rows(tab, "model")).to_have_count(2)
        expect(rows(tab, "model").first).to_have_attribute("data-status", "lost")
        expect(tab.by("crash")).to_be_enabled()  # the server could be killed again
        tab.page.close()  # before the server is stopped
    forgive_outage(page_errors)
