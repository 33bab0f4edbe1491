"""Test interruptions between a tab and its server: nothing is lost, and nothing is sent or typed twice."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from itertools import cycle

import pytest
from playwright.sync_api import expect

from tests.support.browser.chat import (
    HALF,
    WORDS,
    Chat,
    counting,
    eventually,
    forgive_outage,
    half_answered,
    in_production,
)
from tests.support.browser.rows import on_rows
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]


HOUR = 3600 * 1000  # milliseconds
TURNS, A_TURN = 16, 15  # number of turns, and of words in each
NOTE_STRANGERS = """(answers) => {
  window.strangers = [];
  const look = () => {
    for (const node of document.querySelectorAll('[data-testid="message"][data-role="assistant"]')) {
      const text = node.innerText.trim().replace(/\\s+/g, " ");
      if (!answers.some((answer) => answer.startsWith(text))) window.strangers.push(text);
    }
    requestAnimationFrame(look);
  };
  look();
}"""
"""Record in each frame any shown text that is not a prefix of one of the expected answers."""


def test_offline_tab_catches_up_and_sends_its_message_once_online(
    provider: Provider, gate: threading.Event, open_tab: OpenTab, page_errors: list[str]
) -> None:
    tab = half_answered(provider, gate, open_tab)
    tab.page.context.set_offline(True)
    gate.set()
    eventually(lambda: tab.stored().split(), lambda words: words == WORDS)
    tab.by("composer").fill("Count")
    tab.by("composer").press("Enter")  # waits until the tab is online

    expect(tab.prompts).to_have_count(2)
    expect(tab.by("reconnect")).to_be_visible()
    pill, title = tab.by("reconnect").bounding_box(), tab.by("title").bounding_box()
    assert pill
    assert title
    assert pill["y"] >= title["y"] + title["height"], "it covers the title"
    assert tab.words() == WORDS[:HALF], "what was on the page went away with the network"
    tab.page.context.set_offline(False)

    expect(tab.answers).to_have_count(2)
    assert tab.answer_text().split() == WORDS
    expect(tab.answers.first).to_have_text(" ".join(WORDS))
    expect(tab.prompts).to_have_count(2)
    expect(tab.by("reconnect")).to_have_count(0)
    forgive_outage(page_errors)


def test_tab_catches_up_after_an_hour_of_sleep(
    provider: Provider, gate: threading.Event, open_tab: OpenTab, page_errors: list[str]
) -> None:
    provider.answer("Count", counting(gate))
    tab = open_tab(fresh=True)
    tab.page.clock.install()
    tab.reload()
    tab.send("Count")
    tab.wait_for_half()
    tab.by("composer").fill("Half a thou")
    asleep = tab.page.context.new_cdp_session(tab.page)
    tab.page.context.set_offline(True)
    asleep.send("Page.setWebLifecycleState", {"state": "frozen"})
    gate.set()
    eventually(lambda: tab.stored().split(), lambda words: words == WORDS)

    asleep.send("Page.setWebLifecycleState", {"state": "active"})
    tab.page.clock.fast_forward(HOUR)
    tab.page.context.set_offline(False)

    assert tab.answer_text().split() == WORDS
    expect(tab.by("composer")).to_have_value("Half a thou")
    expect(tab.prompts).to_have_count(1)
    forgive_outage(page_errors)


def test_messages_sent_at_once_by_two_tabs_are_both_answered(provider: Provider, open_tab: OpenTab) -> None:
    for prompt in ("Begin", "One", "Two"):
        provider.answer(prompt, [f"Answer to {prompt}."])
    first = open_tab()
    first.send("Begin")
    first.wait_until("completed")
    second = open_tab(f"/chat/{first.thread_id}")
    expect(second.answers).to_have_count(1)
    for tab, prompt in ((first, "One"), (second, "Two")):
        tab.by("composer").fill(prompt)
    now = first.page.evaluate("Date.now()")
    for tab in (first, second):
        tab.by("composer-form").evaluate(
            "(form, at) => { setTimeout(() => form.requestSubmit(), at - Date.now()) }", now + 1000
        )

    for tab in (first, second):
        expect(tab.answers).to_have_count(3)
        tab.wait_until("completed")
    wanted = sorted(text for prompt in ("Begin", "One", "Two") for text in (prompt, f"Answer to {prompt}."))
    eventually(  # an answer appears gradually
        lambda: [tab.by("message").all_inner_texts() for tab in (first, second)],
        lambda said: sorted(said[0]) == wanted and said[0] == said[1],
    )


def test_back_and_forward_restore_threads_and_drafts(provider: Provider, open_tab: OpenTab) -> None:
    tab = open_tab()
    for prompt in ("Left", "Right"):
        provider.answer(prompt, [f"{prompt}, then."])
        tab.by("new-chat").click()
        expect(tab.by("suggestion").first).to_be_visible()
        tab.send(prompt)
        expect(tab.answer).to_have_text(f"{prompt}, then.")
    tab.by("composer").fill("a draft of the right one")
    tab.page.go_back()
    expect(tab.by("suggestion").first).to_be_visible()
    tab.page.go_back()

    expect(tab.answer).to_have_text("Left, then.")
    expect(tab.by("composer")).to_have_value("")
    tab.page.go_forward()
    tab.page.go_forward()
    expect(tab.answer).to_have_text("Right, then.")
    expect(tab.answers).to_have_count(1)
    expect(tab.by("composer")).to_have_value("a draft of the right one")


@pytest.fixture
def gates() -> Iterator[list[threading.Event]]:
    """One event for each turn; always set at the end."""
    gates = [threading.Event() for _ in range(TURNS)]
    yield gates
    for gate in gates:
        gate.set()


def test_switching_between_two_live_answers_never_mixes_their_text(
    provider: Provider, gates: list[threading.Event], open_tab: OpenTab
) -> None:
    tab = open_tab()
    sides: dict[str, list[str]] = {}
    for side in ("left", "right"):
        words = [f"{side}{n} " for n in range(A_TURN * TURNS)]
        turns = [(gate, *words[n * A_TURN : (n + 1) * A_TURN]) for n, gate in enumerate(gates)]
        provider.answer(f"To the {side}", [item for turn in turns for each in turn for item in (each, 0.02)])
        tab.go("/")
        tab.send(f"To the {side}")
        expect(tab.by("stop")).to_be_visible()
        sides[f"/chat/{tab.thread_id}"] = "".join(words).split()
    tab.page.evaluate(NOTE_STRANGERS, [" ".join(words) for words in sides.values()])
    for gate, (path, words) in zip(gates, cycle(sides.items()), strict=False):
        gate.set()
        tab.page.locator(f'a[href="{path}"], a[href="{path}/"]').first.click()
        eventually(tab.words, lambda seen, words=words: seen[:1] == words[:1])
    for path, words in sides.items():
        tab.page.locator(f'a[href="{path}"], a[href="{path}/"]').first.click()
        eventually(tab.words, lambda seen, words=words: seen == words)
    assert tab.page.evaluate("window.strangers") == []


def test_tab_of_a_thread_deleted_elsewhere_says_so_and_can_begin_another(
    provider: Provider, gate: threading.Event, server: Server, open_tab: OpenTab
) -> None:
    tab = half_answered(provider, gate, open_tab)
    thread_id = tab.thread_id

    on_rows(server, lambda api: api.delete_thread(thread_id))

    expect(tab.by("page-note")).to_contain_text("deleted")
    expect(tab.page.locator(f'[data-thread-id="{thread_id}"]')).to_have_count(0)
    tab.reload()
    expect(tab.by("page-note")).to_contain_text("not found")
    tab.page.get_by_role("link", name=re.compile("new chat", re.IGNORECASE)).first.click()
    expect(tab.by("suggestion").first).to_be_visible()
    tab.send("Count")
    gate.set()
    assert tab.answer_text().split() == WORDS
