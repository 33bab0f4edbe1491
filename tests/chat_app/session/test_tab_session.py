"""Test tab sessions: a tab's handlers find its background work, and the session ends with its last work."""

from __future__ import annotations

import gc
from dataclasses import replace

import reflex as rx
from reflex.istate.data import SessionData

from chat_app.session import tab_session
from chat_app.session.tab_session import TabSession
from chat_app.thread.open_thread import OpenThread
from chat_app.timeline.timeline import Timeline


def state_of(token: str) -> rx.State:
    """Return the state of the tab with a token."""
    root: rx.State = rx.State(_reflex_internal_init=True)  # pyright: ignore[reportCallIssue]
    root.router = replace(root.router, session=SessionData.from_router_data({"token": token}))
    return root


def of(token: str) -> TabSession:
    return tab_session.tab_session(state_of(token))


def test_each_tab_and_each_state_finds_its_own_work() -> None:
    first, second = of("a"), of("b")
    with (
        first.attached(OpenThread, "rows"),
        first.attached(Timeline, 1),
        second.attached(OpenThread, "others"),
    ):
        assert (of("a").find(OpenThread, str), of("a").find(Timeline, int)) == ("rows", 1)
        assert of("b").find(OpenThread, str) == "others"
        assert of("b").find(Timeline, int) is None
        assert of("a").find(Timeline, str) is None


def test_work_that_was_replaced_takes_nothing_with_it_when_it_ends() -> None:
    with of("a").attached(OpenThread, "old") as old:
        assert old == "old"
        newer = of("a").attached(OpenThread, "new")
        newer.__enter__()
    assert of("a").find(OpenThread, str) == "new"
    newer.__exit__(None, None, None)
    assert of("a").find(OpenThread, str) is None


def test_a_session_ends_with_its_last_work() -> None:
    with of("a").attached(OpenThread, "rows"), of("a").attached(Timeline, 1):
        assert list(tab_session._sessions) == ["a"]
    gc.collect()
    assert list(tab_session._sessions) == []
