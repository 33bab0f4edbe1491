"""Test that every word of every page is in the chosen language, and that longer languages fit.

The third language is one additional file (tests/support/browser/third_language.py). All text of users, models
and tools here is Greek, so every plain Latin letter on a page is a missing translation.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser.chat import PATIENCE, Chat, left_over
from tests.support.browser.moments import MOMENTS
from tests.support.browser.reading import cut, left
from tests.support.browser.rows import begin_threads, on_rows
from tests.support.browser.server import Server
from tests.support.browser.third_language import CODE
from tests.support.providers.provider import Call, Provider, Refuse, Turn

OpenTab = Callable[..., Chat]
SIZES = {"desk": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
PROSE = (
    "## Α\n\n- [x] β\n- [ ] γ\n\n```\nδ\n```\n\n```python\n1\n```\n\n| ε |\n|---|\n| 1 |\n\n![](https://ζ.gr)"
)
MAIL = Call("send_email", {"to": "α@β.gr", "subject": "Α", "body": "Β"})
ASK = Call("ask_human", {"question": "Πού;", "options": ["Α", "Β"]})
DATA = (
    r"durable agents|help desk|order desk|orders|\bshop\b",
    r"openai/scripted|demo/assistant|\bpoet\b|\bbuyer\b|\bclerk\b|assistant",
    r"send[ _]email|ask[ _]human|calculator|slow[ _]task",
    r"\b(?:to|subject|body|expression|result|python|seconds|gr)\b",
    r"\d+-[0-9a-z-]{3,}",  # process ids
    r"\bEsc\b|\bUTC\b|English|Deutsch|Français|https?://\S+",
    r"thread_\w+|share/\S+",
    r"\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b|\b(?:AM|PM)\b",
    rf"\b{re.escape(socket.gethostname())}\b",
    r"\d (?:byte|[kMG]B)\b|\bauth\b",
    r"0 9 \* \* mon-fri|\d+ \d+ \* \* (?:mon-fri|\*)",
)
"""Text that is never translated: names of programs, hosts, tools, arguments and errors, dates and units."""


def _call(name: str, state: str, **more: Any) -> dict[str, Any]:
    return {"type": f"tool-{name}", "toolCallId": f"{name}_{state}", "state": state, "input": {}, **more}


HISTORY: list[dict[str, Any]] = [
    {"role": "user", "parts": [{"type": "text", "text": "Α" * 30_000}]},
    {
        "role": "assistant",
        "parts": [
            {"type": "data-context", "data": {"dropped_turns": 3}},
            {"type": "data-context", "data": {"dropped_turns": 1, "summarised": True}},
            {"type": "data-context", "data": {}},
            {"type": "reasoning", "text": "Σκέψη."},
            _call("slow_task", "output-error", errorText="Λάθος."),
            _call("calculator", "output-error", errorText="Αργά."),
            _call("ask_human", "output-error", errorText="Τέλος."),
            _call("send_email", "output-denied", approval={"id": "a", "reason": "Όχι."}),
            {"type": "text", "text": PROSE},
        ],
    },
]


@pytest.fixture
def server(extended: Server) -> Server:
    return extended


@pytest.fixture(scope="module")
def threads(browser: Browser, extended: Server, provider: Provider) -> Iterator[dict[str, str]]:
    """Paths of threads in each state, by state; the running threads run until the module ends."""
    gate = threading.Event()
    titles = _rename(extended)
    kinds: dict[str, tuple[str, tuple[Turn, ...], str]] = {
        "done": ("Ένα", ([Call("calculator", {"expression": "1+1"})], [PROSE]), "completed"),
        "approval": ("Δύο", ([MAIL],), "awaiting_tool_results"),
        "question": ("Τρία", ([ASK],), "awaiting_tool_results"),
        "failed": ("Τέσσερα", ([Refuse(401, "Όχι.")],), "failed"),
        "waiting": ("Πέντε", ([Refuse(503, "Όχι.", retry_after=900)],), "streaming"),
        "running": ("Έξι", (["Μια ", gate],), "streaming"),
        "stopped": ("Επτά", (["Μια ", gate],), "streaming"),
    }
    provider.answer("Οκτώ", ["Ναι."])
    for prompt, turns, _ in kinds.values():
        provider.answer(prompt, *turns)
    begun = begin_threads(extended, {prompt: status for prompt, _, status in kinds.values()})
    made = {kind: begun[prompt] for kind, (prompt, *_) in kinds.items()}
    context = browser.new_context()
    tab = Chat(context.new_page(), extended)
    tab.go(made["stopped"])
    expect(tab.answer).to_contain_text("Μια")
    tab.by("stop").click()
    tab.wait_until("stopped")
    tab.go(made["running"])
    expect(tab.answer).to_contain_text("Μια")  # only then does Enter send
    tab.send("Οκτώ")
    expect(tab.page.locator('[data-queued="true"]')).to_be_visible()
    context.close()
    thread = on_rows(extended, lambda api: api.create_thread(messages=HISTORY, title="Ιστορία"))
    made["history"] = f"/chat/{thread.id}"
    made["shared"] = f"/share/{on_rows(extended, lambda api: api.shares.create(thread.id))}"
    made["untitled"] = f"/chat/{on_rows(extended, lambda api: api.create_thread()).id}"
    own = [path.rpartition("/")[2] for path in made.values() if path.startswith("/chat/")]
    made |= {"gone": "/chat/thread_00000000000000000000000000", "not shared": "/share/nobody"}
    yield made
    gate.set()
    for thread_id in own:
        on_rows(extended, lambda api, thread_id=thread_id: api.delete_thread(thread_id))
    _rename(extended, titles)


def _rename(server: Server, titles: list[tuple[str, str]] | None = None) -> list[tuple[str, str]]:
    """Rename the threads left by other tests, to Greek titles by default; return their previous titles."""
    with contextlib.closing(sqlite3.connect(server.database, timeout=10)) as database, database:
        had = database.execute("select title, id from agent_thread").fetchall()
        given = [("Άλλα", name) for _, name in had] if titles is None else titles
        database.executemany("update agent_thread set title = ? where id = ?", given)
    return had


SEEN = {
    "done": "message",
    "approval": "approve",
    "question": "answer-send",
    "failed": "failed",
    "waiting": "retry-wait",
    "running": "take-back",
    "stopped": "continue",
    "history": "note",
    "shared": "note",
    "gone": "page-note",
    "not shared": "page-note",
}
"""Test id that each page must show, as proof that it is the intended page."""


@pytest.mark.parametrize("size", SIZES)
def test_no_word_is_left_in_another_language_and_none_is_cut(
    size: str, server: Server, threads: dict[str, str], open_tab: OpenTab, page_errors: list[str]
) -> None:
    tab = open_tab("/", viewport=SIZES[size], locale=CODE, reduced_motion="reduce")
    expect(tab.page.locator("html")).to_have_attribute("lang", CODE)
    found: list[str] = []

    def look(where: str) -> None:
        """Collect the findings here; after the first finding, don't wait for more."""
        found.extend(left_over(lambda: left(tab, where, DATA) + cut(tab, where), 0 if found else PATIENCE))

    paths = {"index": "/", "404": "/no/such/page"}
    places = {name: paths.get(name, f"/{name}") for name in server.routes() if "[" not in name} | threads
    for extension in ("desk", "orders", "sleep"):  # written in English by their authors
        del places[extension]
    for name, path in places.items():
        tab.visit(path, SEEN.get(name))
        look(name)
        for moment in MOMENTS.get(name, []):
            moment(tab)
            look(f"{name}, {moment.__name__}")
    page_errors[:] = [error for error in page_errors if "404" not in error]
    assert not found, "\n".join(found)


def test_the_browsers_language_is_taken_until_one_is_chosen(open_tab: OpenTab) -> None:
    tab = open_tab("/settings", locale="de-AT")
    expect(tab.page.locator("html")).to_have_attribute("lang", "de")
    expect(tab.page).to_have_title("Einstellungen · Durable Agents")
    tab.by("choose-language").select_option("en")
    tab.reload()
    expect(tab.page.locator("html")).to_have_attribute("lang", "en")
    expect(tab.page).to_have_title("Settings · Durable Agents")
    other = open_tab("/settings", locale="nl-NL")
    expect(other.page.locator("html")).to_have_attribute("lang", "en")


def test_a_link_is_read_in_the_readers_language(threads: dict[str, str], open_tab: OpenTab) -> None:
    tab = open_tab(threads["shared"], locale="de-DE")
    expect(tab.page.get_by_role("main")).to_contain_text("Geteilter Chat, nur zum Lesen.")
    expect(tab.by("note").first).to_contain_text("die 3 ältesten Runden")
    expect(tab.page.locator("html")).to_have_attribute("lang", "de")


def test_sentences_of_the_server_are_said_in_german(provider: Provider, open_tab: OpenTab) -> None:
    """Covers stored sentences, live and after a reload, and errors about the user's input."""
    tab = open_tab("/", locale="de-DE")
    tab.ask(provider, "Εννέα", [Call("unbekannt", {})], ["Ναι."])
    error = tab.page.locator(".tool-error")
    for _ in ("live", "reloaded"):
        expect(error).to_contain_text("Das Werkzeug „unbekannt“ gibt es nicht; es gibt:")
        tab.reload()
    tab.by("answers-open").click()
    tab.page.locator('[name="temperature"]').fill("warm")
    tab.by("answers-save").click()
    expect(tab.page.locator(".field-error")).to_have_text(
        "Die Temperatur ist „warm“; möglich ist eine Zahl von 0 bis 2 oder gar nichts."
    )


def test_another_tab_follows_the_choice(open_tab: OpenTab) -> None:
    tab = open_tab("/settings")
    other = Chat(tab.page.context.new_page(), tab.server)
    other.go("/")
    tab.by("choose-language").select_option("de")
    expect(other.by("composer")).to_have_attribute("placeholder", "Schreib eine Nachricht")


def test_a_word_that_was_forgotten_and_one_that_is_cut_are_found(
    threads: dict[str, str], open_tab: OpenTab
) -> None:
    tab = open_tab("/settings", locale=CODE)
    expect(tab.page.locator("html")).to_have_attribute("lang", CODE)
    expect(tab.by("choose-theme")).to_contain_text("é")
    assert left_over(lambda: left(tab, "here", DATA) + cut(tab, "here")) == []
    tab.page.evaluate(
        """document.querySelector("main").insertAdjacentHTML("beforeend",
        '<b title="Forgotten">1</b><p class="cut" style="width:2ch;overflow:hidden;white-space:nowrap">áááááá</p>')"""
    )
    assert left(tab, "here", DATA) == ["here: b. title: Forgotten"]
    assert cut(tab, "here") == ["here: p.cut (wide): áááááá"]
