"""Test how the page shows a turn: thoughts, sources, running tools, retries, queued messages and drafts."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from agent_core import AgentApi, Budget
from agent_core.domain.limits import Scope, Used
from agent_core.store.database.transaction import Tx
from agent_core.store.limits import counters
from agent_core.store.limits.rules import Rule, Subject
from agent_core.testing import eventually
from tests.support.browser.chat import HALF, WORDS, Chat, counting, in_production, wait_for
from tests.support.browser.rows import hurry, on_rows
from tests.support.providers.provider import Call, Cite, Provider, Refuse, Thought

OpenTab = Callable[..., Chat]
pytestmark = in_production
ROME = Cite("https://en.wikipedia.org/wiki/Rome", "Rome")
FORUM = Cite("https://en.wikipedia.org/wiki/Roman_Forum", "Roman Forum")


def test_thoughts_are_folded_and_sources_link_to_their_pages(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    answer = [Thought("The Forum is "), Thought("in Rome."), gate, "In **Rome**.", ROME, FORUM, ROME]
    provider.answer("Where is the Forum?", answer)
    tab = open_tab()
    tab.send("Where is the Forum?")

    thoughts = tab.by("reasoning")
    expect(thoughts.locator(".breathe")).to_be_visible()
    gate.set()
    tab.wait_until("completed")
    expect(thoughts.locator(".breathe")).to_have_count(0)
    words = thoughts.get_by_text("The Forum is in Rome.")
    expect(words).to_be_hidden()
    thoughts.locator("summary").click()
    expect(words).to_be_visible()

    links = tab.answer.locator("a.source")
    expect(links).to_have_text(["Rome", "Roman Forum"])
    expect(links.first).to_have_attribute("href", ROME.url)
    expect(links.first).to_have_attribute("rel", re.compile("noopener"))
    places = links.evaluate_all("links => links.map((link) => link.getBoundingClientRect().y)")
    assert len(set(places)) == 1, "they do not share a line"
    tab.reload()
    expect(tab.answer.locator("a.source")).to_have_text(["Rome", "Roman Forum"])


def test_running_tool_shows_its_progress_and_duration(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Work", [Call("slow_task", {"seconds": 4})], ["Done."])
    tab = open_tab()
    watch(tab, "tool-progress", "tool-brief", "tool-status")
    tab.send("Work")

    row = tab.by("tool")
    seen = [each for each in until_done(tab) if None not in each]
    states, opened, *columns = (list(dict.fromkeys(column)) for column in zip(*seen, strict=True))
    shares, briefs, times = columns
    assert states == ["running"]
    assert opened == [False]
    assert len(shares) > 1
    assert shares == sorted(shares), "it went back"
    assert all("% done" in brief for brief in briefs[1:])
    assert len(times) > 1, "the time stood still"

    tab.wait_until("completed")
    expect(row).to_have_attribute("data-state", "done")
    took = re.fullmatch(r"(\d+)(\.\d)? s", tab.by("tool-status").inner_text())
    assert took
    assert int(took[1]) >= 4
    row.locator("summary").click()
    expect(tab.by("tool-arguments")).to_contain_text('"seconds": 4')
    expect(tab.by("tool-result")).to_contain_text('"steps": 8')


WATCH = """(ids) => {
  window.seen = [];
  const look = () => {
    const row = document.querySelector("[data-testid=tool]");
    if (!row) return;
    const parts = ids.map((id) => document.querySelector(`[data-testid=${id}]`));
    window.seen.push([row.dataset.state, row.open, ...parts.map((part) => part && (part.value ?? part.innerText))]);
  };
  new MutationObserver(look).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
}"""


def watch(tab: Chat, *testids: str) -> None:
    """Record state, openness and parts of the tool's row at each change of the page from now on."""
    tab.page.evaluate(WATCH, testids)


def until_done(tab: Chat) -> list[list[Any]]:
    """Wait until the tool is done; return the recorded states of its row, even those shown only briefly."""
    expect(tab.by("tool")).to_have_attribute("data-state", "done")
    return [each for each in tab.page.evaluate("window.seen") if each[0] != "done"]


def test_a_tool_that_fails_is_tried_again_and_says_so(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Ask it", [Call("unreliable_service", {"failures": 3})], ["It was 42."])
    tab = open_tab()
    watch(tab, "tool-brief", "tool-status")
    tab.send("Ask it")

    waits = [
        f"{brief} | {status}" for *_, brief, status in until_done(tab) if brief and "did not answer" in brief
    ]
    found = [re.search(r"attempt (\d)\)\..*Attempt (\d)\s*in \d s", wait, re.DOTALL) for wait in waits]
    pairs = {(int(each[1]), int(each[2])) for each in found if each}
    assert pairs, waits
    assert pairs <= {(1, 2), (2, 3), (3, 4)}, "what failed and what comes next"
    tab.wait_until("completed")
    expect(tab.by("tool-status")).to_contain_text("4 attempts")
    expect(tab.answer).to_contain_text("It was 42.")


def test_a_tool_that_gave_up_is_open_and_the_model_goes_on(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Divide", [Call("calculator", {"expression": "1 / 0"})], ["That cannot be done."])
    tab = open_tab()
    tab.send("Divide")

    tab.wait_until("completed")
    row = tab.by("tool")
    expect(row).to_have_attribute("data-state", "failed")
    expect(row).to_have_attribute("open", re.compile(".*"))
    expect(row.locator(".tool-error")).to_contain_text("zero")
    expect(tab.answer).to_contain_text("That cannot be done.")


def test_a_busy_provider_is_asked_again_and_the_page_says_when(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("Hello", [Refuse(503, "Overloaded, come back later.", retry_after=900)])
    tab = open_tab()
    tab.send("Hello")

    wait = tab.by("retry-wait")
    expect(wait).to_contain_text(re.compile(r"attempt 2 of \d+", re.IGNORECASE))
    expect(wait).to_contain_text(re.compile(r"in \d+ s"))
    expect(wait).to_contain_text("Overloaded, come back later.")
    provider.answer("Hello", ["Here I am."])
    hurry(tab.server, tab.thread_id)
    assert tab.answer_text() == "Here I am."
    expect(wait).to_have_count(0)


def test_message_sent_meanwhile_waits_its_turn(
    provider: Provider, gate: threading.Event, open_tab: OpenTab
) -> None:
    provider.answer("Count", counting(gate))
    provider.answer("And then?", ["That was all."])
    tab = open_tab()
    tab.send("Count")
    tab.wait_for_half()

    tab.by("composer").fill("And then?")
    tab.by("composer").press("Enter")
    queued = tab.page.locator(".message.queued")
    expect(queued).to_contain_text("And then?")
    expect(queued).to_contain_text("Queued")
    assert tab.words() == WORDS[:HALF], "the answer under way was disturbed"
    gate.set()

    expect(tab.answers).to_have_count(2)
    expect(tab.answer).to_contain_text("That was all.")
    expect(queued).to_have_count(0)
    expect(tab.answers.first).to_have_text(" ".join(WORDS))


def test_each_thread_keeps_its_own_draft_through_reloads(provider: Provider, open_tab: OpenTab) -> None:
    tab = open_tab()
    tab.ask(provider, "One", ["Yes."])
    tab.by("composer").fill("for the first")
    first = f"/chat/{tab.thread_id}"

    tab.by("new-chat").click()
    expect(tab.by("composer")).to_have_value("")
    tab.by("composer").fill("for a new one")
    tab.reload()
    expect(tab.by("composer")).to_have_value("for a new one")
    tab.go(first)
    expect(tab.by("composer")).to_have_value("for the first")
    tab.by("new-chat").click()
    expect(tab.by("composer")).to_have_value("for a new one")
    tab.by("composer").fill("")


def test_code_and_answers_can_be_copied(provider: Provider, open_tab: OpenTab) -> None:
    code = "print('hello')\n"
    provider.answer("Code", [f"So:\n\n```python\n{code}```\n"])
    tab = open_tab()
    tab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab.send("Code")
    tab.wait_until("completed")
    block = tab.answer.locator("pre")
    expect(block.locator("span").first).to_be_visible()  # highlighted

    tab.answer.get_by_role("button", name="Copy code").click()
    wait_for(tab.page, f"navigator.clipboard.readText().then((text) => text.trim() === {code.strip()!r})")
    tab.answer.hover()
    tab.answer.get_by_test_id("copy").click()
    wait_for(tab.page, "navigator.clipboard.readText().then((text) => text.startsWith('So:'))")


def test_a_thread_is_named_by_what_it_is_about_in_every_tab(provider: Provider, open_tab: OpenTab) -> None:
    provider.answer("hi, quick one: where is the Forum?", ["In Rome."])
    provider.name("hi, quick one: where is the Forum?", '"Place of the Roman Forum."')
    tab, other = open_tab(), open_tab()
    tab.send("hi, quick one: where is the Forum?")

    for each in (tab, other):
        expect(each.by("thread-list")).to_contain_text("Place of the Roman Forum")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Place of the Roman Forum")
    expect(tab.page).to_have_title(re.compile("^Place of the Roman Forum · "))
    tab.by("new-chat").click()
    expect(tab.page).not_to_have_title(re.compile("Forum"))
    tab.page.go_back()
    expect(tab.page).to_have_title(re.compile("^Place of the Roman Forum · "))
    tab.page.get_by_role("link", name="Settings").click()
    expect(tab.page).to_have_title(re.compile("^Settings · "))


def test_an_empty_page_greets_and_a_suggestion_is_sent(provider: Provider, open_tab: OpenTab) -> None:
    tab = open_tab()
    expect(tab.by("suggestion")).to_have_count(4)
    expect(tab.by("composer")).to_be_focused()
    words = tab.by("suggestion").first.get_attribute("data-suggestion")
    assert words
    provider.answer(words, ["Gladly."])
    tab.by("suggestion").first.click()

    tab.page.wait_for_url(re.compile(r"/chat/thread_"))
    expect(tab.prompts).to_have_text(words)
    expect(tab.answer).to_contain_text("Gladly.")


def test_a_paused_chat_says_why_and_goes_on_when_its_budget_is_doubled(
    provider: Provider, open_tab: OpenTab
) -> None:
    for _ in range(20):
        provider.answer("Pay", ["Paid."])
    tab = open_tab()
    thread_id = on_rows(tab.server, paused_by_a_budget)
    tab.go(f"/chat/{thread_id}")
    card = tab.by("paused")
    expect(card).to_contain_text("Paused, continues")
    expect(card).to_contain_text("Today's budget of 10 tokens for this chat is used up.")
    expect(tab.page.locator(".status .words")).to_have_text("Paused")
    button = tab.by("double-budget")
    expect(button).to_have_text("Double the budget")
    button.focus()
    tab.page.keyboard.press("Enter")
    tab.wait_until("completed")
    expect(card).to_have_count(0)
    expect(tab.by("budgets")).to_have_count(0)
    on_rows(tab.server, give_everybody_a_budget)
    tab.go("/settings")
    expect(tab.by("budgets").locator("tbody tr")).to_have_text(
        [re.compile("^This month.* of 9,000,000 tokens")]
    )
    on_rows(tab.server, lambda api: api.limits.remove_budget("month", user_id="*"))


async def give_everybody_a_budget(api: AgentApi) -> None:
    await api.limits.set_budget(Budget(tokens=9_000_000, per="month"), user_id="*")


async def paused_by_a_budget(api: AgentApi) -> str:
    """Return a thread that waits for its budget."""
    thread = await api.create_thread()
    budget = Budget(tokens=10)
    await api.limits.set_budget(budget, thread_id=thread.id)
    await api.store.writer.run(use_up, thread.id, budget)

    async def is_paused() -> bool:
        found = await api.get_thread(thread.id)
        assert found is not None
        if found.status == "completed":  # the app may not have noticed the budget yet
            await api.send_message(thread.id, "Pay")
        return bool(found.retry_state)

    await eventually(is_paused, 60)
    return thread.id


def use_up(tx: Tx, thread_id: str, budget: Budget) -> None:
    """Count tokens against the budget of a thread; the provider of these tests reports none."""
    rule, subject = Rule(Scope("thread", thread_id), budget), Subject("", "", "", thread_id, "")
    counters.used_by(tx, rule, subject)
    counters.add(tx, rule, subject, tx.now, Used(tokens=10))
