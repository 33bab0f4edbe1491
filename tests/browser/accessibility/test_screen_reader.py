"""Test the live region: a screen reader gets every answer to its last word, and no answer twice."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.support.browser.chat import Chat, eventually, in_production
from tests.support.providers.provider import Provider

pytestmark = in_production
OpenTab = Callable[..., Chat]
LISTEN = """
  window.heard = [];
  new MutationObserver((changes) => {
    for (const { target, addedNodes } of changes)
      if (target.dataset?.testid === "live-region") window.heard.push(...Array.from(addedNodes, (node) => node.textContent));
      else
        for (const node of addedNodes)
          for (const piece of node.querySelectorAll?.('[data-testid="live-region"] > *') ?? []) window.heard.push(piece.textContent);
  }).observe(document, { childList: true, subtree: true });
"""


def listening(open_tab: OpenTab) -> Chat:
    """Open a tab that records additions to its live region after each load."""
    tab = open_tab(fresh=True)
    tab.page.add_init_script(LISTEN)
    tab.reload()
    return tab


def heard(tab: Chat) -> list[str]:
    """Return the words added to the live region since `listening`."""
    return " ".join(tab.page.evaluate("window.heard")).split()


def test_live_region_gets_the_whole_answer_by_sentence(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer(
        "Tell me", ["Once **upon** a time. There", " was", gate, " a [cat](https://example.org). The", " end"]
    )
    tab = listening(open_tab)
    tab.send("Tell me")
    eventually(lambda: heard(tab), lambda words: words == ["Once", "upon", "a", "time."])
    gate.set()
    tab.wait_until("completed")
    eventually(
        lambda: heard(tab),
        lambda words: words == ["Once", "upon", "a", "time.", "There", "was", "a", "cat.", "The", "end"],
    )


def test_live_region_gets_sentences_of_a_script_without_blanks(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer("天气", ["今天下雨。", "明天", gate, "晴。", "后天"])
    tab = listening(open_tab)
    tab.send("天气")
    eventually(lambda: heard(tab), lambda words: words == ["今天下雨。"])
    gate.set()
    tab.wait_until("completed")
    eventually(lambda: "".join(heard(tab)), lambda words: words == "今天下雨。明天晴。后天")


def test_live_region_gets_an_answer_that_comes_at_once(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("First", ["A short answer"])
    provider.answer("Second", ["Another one."])
    tab = listening(open_tab)
    tab.send("First")
    eventually(lambda: heard(tab), lambda words: words == ["A", "short", "answer"])
    tab.send("Second")
    eventually(lambda: heard(tab), lambda words: words == ["A", "short", "answer", "Another", "one."])


@pytest.mark.parametrize("finished", [True, False])
def test_live_region_stays_empty_after_a_reload(
    provider: Provider, gate: threading.Event, open_tab: OpenTab, finished: bool
) -> None:
    provider.answer("Count", ["One. Two. ", gate, "Three. Four"])
    tab = listening(open_tab)
    tab.send("Count")
    expect(tab.answer).to_contain_text("Two.")
    if finished:
        gate.set()
        tab.wait_until("completed")
    tab.reload()
    expect(tab.answer).to_contain_text("Two.")
    assert "restarted" not in tab.by("status").inner_text()
    tab.page.wait_for_timeout(
        1500
    )  # half a second after a thread opens, the region takes stock of its messages
    gate.set()
    tab.wait_until("completed")
    wanted = [] if finished else ["Three.", "Four"]
    eventually(lambda: heard(tab), lambda words: words == wanted)
    tab.page.wait_for_timeout(2500)  # longer than the pause between two announcements
    assert heard(tab) == wanted
