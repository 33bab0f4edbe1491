"""Test tabs that stay open for long, and tabs whose user changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, WebSocket, expect

from tests.support.browser.chat import Chat
from tests.support.browser.server import Server
from tests.support.providers.provider import Provider

OpenTab = Callable[..., Chat]
SOON = 4
"""Seconds after which Reflex drops the state of a tab; an hour by default."""


@pytest.fixture(scope="module")
def server(extended: Server) -> Iterator[Server]:
    """The app with a short expiry of tab states, and with users identified by cookies."""
    with extended.twin().serving(REFLEX_REDIS_TOKEN_EXPIRATION=str(SOON), GUESTS="yes") as server:
        yield server


def guest(name: str) -> dict[str, Any]:
    """Return the options of a browser context in which a user is signed in."""
    cookie = {"name": "guest", "value": name, "domain": "127.0.0.1", "path": "/", "expires": -1}
    cookie |= {"httpOnly": False, "secure": False, "sameSite": "Lax"}
    return {"storage_state": {"cookies": [cookie], "origins": []}}


@pytest.fixture
def two_tabs(provider: Provider, open_tab: OpenTab) -> tuple[Chat, Chat]:
    """Two browsers of the user Ada, both showing the same thread."""
    provider.answer("Hello", ["Good morning."])
    provider.answer("Again", ["Good evening."])
    one = open_tab(**guest("Ada"))
    one.send("Hello")
    one.wait_until("completed")
    two = open_tab(f"/chat/{one.thread_id}", **guest("Ada"))
    expect(two.answers).to_have_text("Good morning.")
    return one, two


def test_a_tab_in_which_nothing_happens_for_long_still_shows_what_comes(two_tabs: tuple[Chat, Chat]) -> None:
    one, two = two_tabs
    one.page.wait_for_timeout(2_500 * SOON)
    one.send("Again")
    expect(two.answer).to_have_text("Good evening.")
    expect(one.answer).to_have_text("Good evening.")


def test_a_tab_whose_state_was_let_go_comes_back_by_itself(
    two_tabs: tuple[Chat, Chat], open_tab: OpenTab
) -> None:
    """A machine that slept for hours loses its tabs' sockets and their states in the same way."""
    one, two = two_tabs
    one.by("composer").fill("A draft")
    one.page.wait_for_timeout(500 * SOON)  # two rounds of the keepalive: it reloads tabs that it has seen
    other = open_tab("/sleep", **guest("Ada"))
    expect(other.page.get_by_text("Slept")).to_be_visible()
    other.go(f"/chat/{one.thread_id}")
    other.send("Again")
    for tab in (other, one, two):
        expect(tab.answer).to_have_text("Good evening.")
    expect(one.by("composer")).to_have_value("A draft")


def heard(page: Page) -> list[list[str]]:
    """Return a list that collects the frames a tab receives from now on, a list for each of its sockets."""
    sockets: list[list[str]] = []

    def opened(socket: WebSocket) -> None:
        frames: list[str] = []
        sockets.append(frames)
        socket.on("framereceived", lambda frame: frames.append(str(frame)))

    page.on("websocket", opened)
    return sockets


def test_a_tab_whose_user_changes_receives_nothing_of_the_previous_user(
    provider: Provider, open_tab: OpenTab, server: Server
) -> None:
    tab = open_tab(**guest("Ada"))
    tab.ask(provider, "My secret", ["The secret answer."])
    sockets = heard(tab.page)
    tab.page.reload()
    expect(tab.answer).to_have_text("The secret answer.")
    assert "secret" in "".join(sockets[0])

    tab.page.context.add_cookies([{"name": "guest", "value": "Bob", "url": server.url}])
    tab.page.reload()
    expect(tab.page.get_by_role("heading", name="Chat not found")).to_be_visible()
    _, of_bob = sockets  # frames still come on Ada's until the page goes
    assert of_bob
    assert "secret" not in "".join(of_bob)
