"""What a person does on the page and sees there, in the words of the tests."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from playwright.sync_api import Error, Locator, Page, WebSocket, expect

from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

T = TypeVar("T")
in_production = pytest.mark.parametrize("server", ["prod"], indirect=True, scope="package")
"""Marks what the development server would only show once more."""

PATIENCE = 90.0
"""Seconds for which anything here is waited for: a busy machine may need them, and no test that passes uses them."""
WORDS = [f"w{n}" for n in range(60)]
HALF = 25
PACE = 0.02  # seconds between words
# React keeps on its root whether the server's markup is still to be taken over. Whoever changes the page
# before that takes place makes React throw it away (error 418).
# Reflex's store says then whether what the server knows has come; a page that has not heard of it is empty.
TAKEN_OVER = """() => {
  const main = document.querySelector("main");
  let fiber = main?.[Object.keys(main).find((key) => key.startsWith("__reactFiber$"))];
  let store;
  for (; fiber?.return; fiber = fiber.return) if (fiber.memoizedProps?.value?.dispatchers) store = fiber.memoizedProps.value;
  if (!store || fiber.stateNode.current.memoizedState.isDehydrated !== false) return false;
  const states = Object.keys(store.dispatchers).map((name) => store.getSnapshot(name));
  const reads = (state) => "open_id_rx_state_" in state || location.pathname.startsWith("/share/");
  return states.some((state) => state.is_hydrated_rx_state_) && !states.some((state) => reads(state) && state.phase_rx_state_ === "loading");
}"""
AWAY = re.compile(
    r"WebSocket|ERR_CONNECTION_REFUSED|ERR_INTERNET_DISCONNECTED|\[vite\]|Failed to load", re.IGNORECASE
)
FRAMES = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Wait until what the page has been told is drawn."""


def counting(gate: threading.Event) -> list[str | float | threading.Event]:
    """Say all of `WORDS`, one by one, but after the first `HALF` wait until the test opens the gate."""
    spoken: list[str | float | threading.Event] = [item for word in WORDS for item in (f"{word} ", PACE)]
    return [*spoken[: 2 * HALF], gate, *spoken[2 * HALF :]]


class Chat:
    """One tab."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        page.context.set_default_timeout(1000 * PATIENCE)
        self._lines: list[WebSocket] = []
        page.on("websocket", lambda line: self._lines.append(line))

    def go(self, path: str) -> None:
        """Open a path of the app and wait until the page is alive and has heard from the server."""
        self.page.goto(self.server.url + path)
        self.wait_until_alive()

    def visit(self, path: str, sign: str | None = None) -> None:
        """Open a path and wait until the page has come to rest: what has this test id stands there, and a heading."""
        self.go(path)
        expect(self.page.locator("h1, h2").locator("visible=true").first).to_be_visible()
        if sign:
            expect(self.by(sign).first).to_be_visible()
        self.page.wait_for_load_state("networkidle")

    def reload(self) -> None:
        """Load the page anew and wait as long."""
        self.page.reload()
        self.wait_until_alive()

    def wait_until_alive(self) -> None:
        """Wait until the page takes what is done to it, and shows what the server knows."""
        expect(self.page.get_by_role("main")).to_be_visible()
        wait_for(self.page, TAKEN_OVER)

    def wait_until_cut_off(self) -> None:
        """Wait until the page has noticed that its server is gone, and has drawn what it makes of that."""
        eventually(
            lambda: self.page.evaluate("1") and self._lines,
            lambda lines: all(line.is_closed() for line in lines),
        )
        self.page.evaluate(FRAMES)

    def by(self, testid: str) -> Locator:
        """Return what carries a test id."""
        return self.page.get_by_test_id(testid)

    @property
    def answers(self) -> Locator:
        """The assistant's messages."""
        return self.page.locator('[data-testid="message"][data-role="assistant"]')

    @property
    def answer(self) -> Locator:
        """The newest answer."""
        return self.answers.last

    @property
    def prompts(self) -> Locator:
        """The person's messages."""
        return self.page.locator('[data-testid="message"][data-role="user"]')

    @property
    def thread_id(self) -> str:
        """The thread in the address."""
        return self.page.url.rstrip("/").rsplit("/", 1)[-1]

    def send(self, text: str) -> None:
        """Write a message and send it, as soon as the composer takes it: by Enter, or with a finger."""
        composer = self.by("composer")
        expect(composer).to_be_editable()
        composer.fill(text)
        if self.page.evaluate("matchMedia('(hover: none) and (pointer: coarse)').matches"):
            self.by("send").tap()
        else:
            composer.press("Enter")
        self.page.wait_for_url(re.compile(r"/chat/thread_"))

    def words(self) -> list[str]:
        """The words of the newest answer, as they stand on the page."""
        return self.answer.inner_text().split() if self.answer.count() else []

    def wait_for_half(self) -> None:
        """Wait until the answer stands there as far as the gate lets it."""
        eventually(self.words, lambda words: words == WORDS[:HALF])

    def wait_until(self, status: str) -> None:
        """Wait until the thread stands as `status` says."""
        expect(self.by("status")).to_have_attribute("data-status", status)

    def answer_text(self) -> str:
        """Wait until the turn is over and the page shows all that is stored; return the answer's text."""
        self.wait_until("completed")
        shown, _ = eventually(
            lambda: (" ".join(self.words()), " ".join(self.stored().split())),
            lambda texts: texts[0] == texts[1] != "",
        )
        return shown

    def stored(self) -> str:
        """The text of the newest answer as it stands in the database."""
        with contextlib.closing(sqlite3.connect(self.server.database)) as connection:
            rows = connection.execute(
                "select parts from agent_stream where thread_id = ?1 and status <> 'superseded' and message_id ="
                " (select max(message_id) from agent_stream where thread_id = ?1) order by seq",
                [self.thread_id],
            ).fetchall()
        parts = [part for (column,) in rows for part in json.loads(column)]
        return "\n".join(part["text"] for part in parts if part["type"] == "text")


def eventually(look: Callable[[], T], enough: Callable[[T], bool], patience: float = PATIENCE) -> T:
    """Look again and again until what is seen is enough; return it."""
    deadline = time.monotonic() + patience
    while not enough(seen := look()):
        assert time.monotonic() < deadline, f"Still only {seen!r}"
        time.sleep(0.05)
    return seen


def wait_for(page: Page, expression: str) -> None:
    """Wait until an expression is true on a page, or a function returns so.

    Playwright's `wait_for_function` has the page evaluate it later on, which the content policy forbids.
    """

    def look() -> bool:
        with contextlib.suppress(Error):  # between two pages
            return bool(page.evaluate(expression))
        return False

    eventually(look, bool)


def left_over(look: Callable[[], list[str]], patience: float = PATIENCE) -> list[str]:
    """Look at a page until nothing is wrong with it; return what still is after so many seconds.

    A page that comes to rest may be wrong for a moment; what is wrong with it for good is found.
    """
    deadline = time.monotonic() + patience
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def forgive_outage(troubles: list[str]) -> None:
    """Take out what a browser, and the development server's client, say themselves when a server is away."""
    troubles[:] = [trouble for trouble in troubles if not AWAY.search(trouble)]


def begun(provider: Provider, tab: Chat, prompt: str) -> str:
    """Begin a thread and wait for its answer; return its id."""
    provider.answer(prompt, [f"{prompt}, then."])
    tab.by("new-chat").click()
    expect(tab.by("suggestion").first).to_be_visible()
    tab.send(prompt)
    expect(tab.answer).to_have_text(f"{prompt}, then.")
    tab.wait_until("completed")
    return tab.thread_id
