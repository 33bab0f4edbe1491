"""A tab with the chat page: a user's actions on the page, and its contents."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Error, Locator, Page, WebSocket, expect

from tests.support.browser.server import Server
from tests.support.providers.provider import Provider, Turn

T = TypeVar("T")
in_production = pytest.mark.parametrize("server", ["prod"], indirect=True, scope="package")
"""Mark for tests that would only repeat the same result on the development server."""

PATIENCE = 90.0
"""Seconds until any wait here fails; generous for busy machines, as passing tests never wait so long."""
WORDS = [f"w{n}" for n in range(60)]
HALF = 25
PACE = 0.02  # seconds between words
# React's root records whether the server's markup still has to be hydrated; a change of the page before that
# makes React discard the page (error 418). Reflex's store then says whether the server's state has arrived;
# until then the page is empty.
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
"""Wait until the page has rendered its newest state."""


def counting(gate: threading.Event) -> list[str | float | threading.Event]:
    """Return a turn that says `WORDS` one by one, but after the first `HALF` waits until the gate opens."""
    spoken: list[str | float | threading.Event] = [item for word in WORDS for item in (f"{word} ", PACE)]
    return [*spoken[: 2 * HALF], gate, *spoken[2 * HALF :]]


class Chat:
    """A browser tab with the app."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server
        page.context.set_default_timeout(1000 * PATIENCE)
        self._lines: list[WebSocket] = []
        page.on("websocket", lambda line: self._lines.append(line))

    def go(self, path: str) -> None:
        """Open a path of the app, and wait until the page is interactive and has the server's state."""
        self.page.goto(self.server.url + path)
        self.wait_until_alive()

    def visit(self, path: str, sign: str | None = None) -> None:
        """Open a path, and wait until the page is complete, with a heading and the test id `sign`."""
        self.go(path)
        expect(self.page.locator("h1, h2").locator("visible=true").first).to_be_visible()
        if sign:
            expect(self.by(sign).first).to_be_visible()
        self.page.wait_for_load_state("networkidle")

    def reload(self) -> None:
        """Reload the page, and wait as `go` does."""
        self.page.reload()
        self.wait_until_alive()

    def wait_until_alive(self) -> None:
        """Wait until the page is interactive and shows the server's state."""
        expect(self.page.get_by_role("main")).to_be_visible()
        wait_for(self.page, TAKEN_OVER)

    def wait_until_cut_off(self) -> None:
        """Wait until the page has noticed the loss of its server, and has rendered the notice."""
        eventually(
            lambda: self.page.evaluate("1") and self._lines,
            lambda lines: all(line.is_closed() for line in lines),
        )
        self.page.evaluate(FRAMES)

    def by(self, testid: str) -> Locator:
        """Return the elements with a test id."""
        return self.page.get_by_test_id(testid)

    @property
    def answers(self) -> Locator:
        """Messages of the assistant."""
        return self.page.locator('[data-testid="message"][data-role="assistant"]')

    @property
    def answer(self) -> Locator:
        """The newest answer."""
        return self.answers.last

    @property
    def prompts(self) -> Locator:
        """Messages of the user."""
        return self.page.locator('[data-testid="message"][data-role="user"]')

    @property
    def thread_id(self) -> str:
        """Id of the thread in the address."""
        return self.page.url.rstrip("/").rsplit("/", 1)[-1]

    def send(self, text: str) -> None:
        """Write a message and send it once the composer is ready: by Enter, or by a tap on touch screens."""
        composer = self.by("composer")
        expect(composer).to_be_editable()
        composer.fill(text)
        if self.page.evaluate("matchMedia('(hover: none) and (pointer: coarse)').matches"):
            self.by("send").tap()
        else:
            composer.press("Enter")
        self.page.wait_for_url(re.compile(r"/chat/thread_"))

    def ask(self, provider: Provider, prompt: str, *turns: Turn, status: str = "completed") -> None:
        """Send a prompt that the provider answers with `turns`, and wait until the thread has this status."""
        provider.answer(prompt, *turns)
        self.send(prompt)
        self.wait_until(status)

    def words(self) -> list[str]:
        """Return the words of the newest answer on the page."""
        return self.answer.inner_text().split() if self.answer.count() else []

    def wait_for_half(self) -> None:
        """Wait until the page shows the answer up to the gate."""
        eventually(self.words, lambda words: words == WORDS[:HALF])

    def wait_until(self, status: str) -> None:
        """Wait until the thread has this status."""
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
        """Return the stored text of the newest answer."""
        with contextlib.closing(sqlite3.connect(self.server.database)) as connection:
            rows = connection.execute(
                "select parts from agent_stream where thread_id = ?1 and status <> 'superseded' and message_id ="
                " (select max(message_id) from agent_stream where thread_id = ?1) order by seq",
                [self.thread_id],
            ).fetchall()
        parts = [part for (column,) in rows for part in json.loads(column)]
        return "\n".join(part["text"] for part in parts if part["type"] == "text")


def half_answered(
    provider: Provider, gate: threading.Event, open_tab: Callable[..., Chat], **options: Any
) -> Chat:
    """Open a tab with these options, and wait until it shows the answer up to the gate."""
    provider.answer("Count", counting(gate))
    tab = open_tab(**options)
    tab.send("Count")
    tab.wait_for_half()
    return tab


def eventually(
    look: Callable[[], T], enough: Callable[[T], bool], patience: float = PATIENCE, pause: float = 0.05
) -> T:
    """Call `look` until its result satisfies `enough`, with a pause between calls; return the result."""
    deadline = time.monotonic() + patience
    while not enough(seen := look()):
        assert time.monotonic() < deadline, f"Still only {seen!r}"
        time.sleep(pause)
    return seen


def wait_for(page: Page, expression: str) -> None:
    """Wait until an expression, or the result of a function, is true on a page.

    Playwright's `wait_for_function` evaluates in the page itself, which the content policy forbids.
    """

    def look() -> bool:
        with contextlib.suppress(Error):  # fails between two pages
            return bool(page.evaluate(expression))
        return False

    eventually(look, bool)


def left_over(look: Callable[[], list[str]], patience: float = PATIENCE) -> list[str]:
    """Check a page until it has no findings; return the findings left after `patience` seconds.

    A loading page may have findings for a moment; only lasting ones are returned.
    """
    deadline = time.monotonic() + patience
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def forgive_outage(page_errors: list[str]) -> None:
    """Remove the messages that a browser or the development client logs while the server is down."""
    page_errors[:] = [error for error in page_errors if not AWAY.search(error)]


def begun(provider: Provider, tab: Chat, prompt: str) -> str:
    """Begin a thread and wait for its answer; return its id."""
    provider.answer(prompt, [f"{prompt}, then."])
    tab.by("new-chat").click()
    expect(tab.by("suggestion").first).to_be_visible()
    tab.send(prompt)
    expect(tab.answer).to_have_text(f"{prompt}, then.")
    tab.wait_until("completed")
    return tab.thread_id
