"""Test subscriptions, which fill the two states of a tab: the open thread's rows and its live text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
import reflex as rx
from reflex.istate.data import SessionData
from reflex.istate.manager.memory import StateManagerMemory
from reflex.istate.manager.token import BaseStateToken
from reflex.istate.proxy import StateProxy
from reflex_base.event.context import EventContext

from agent_core import AgentApi
from agent_core.testing import eventually
from chat_app.session.tab_session import background_task, tab_session
from chat_app.thread.open_thread import OpenThread, OpenThreadText
from chat_app.thread.subscription import Subscription
from tests.chat_app.support import Serve, Tab


class OpenTab:
    """The server's side of a tab: its state in a manager, and the recorded changes for its page."""

    def __init__(self) -> None:
        self.manager = StateManagerMemory()
        self.sent: list[Mapping[str, Mapping[str, Any]]] = []

    def context(self) -> EventContext:
        """Return the event context for the tab's handlers."""

        async def emit(token: str, delta: Mapping[str, Mapping[str, Any]]) -> None:
            self.sent.append(delta)

        async def enqueue(token: str, *events: Any) -> Any:
            raise AssertionError("no event is made of it")

        return EventContext(token="t", state_manager=self.manager, enqueue_impl=enqueue, emit_delta_impl=emit)

    @asynccontextmanager
    async def thread(self) -> AsyncIterator[OpenThread]:
        """Lock the tab's state, as a handler does."""
        async with self.manager.modify_state(BaseStateToken(ident="t", cls=rx.State)) as root:
            root.router = replace(root.router, session=SessionData.from_router_data({"token": "t"}))
            yield await root.get_state(OpenThread)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Run the tab's subscription on a proxy of its state, as Reflex runs a background handler."""
        async with self.thread() as thread:
            stream = await thread.get_state(OpenThreadText)
        task = asyncio.create_task(OpenThreadText.event_handlers["follow"].fn(StateProxy(stream)))
        try:
            yield
            assert not task.done()
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def of(self, state: type[rx.State]) -> list[Mapping[str, Any]]:
        """Return the changes of one state that were sent to the page."""
        return [delta[state.get_full_name()] for delta in self.sent if state.get_full_name() in delta]

    def text(self) -> str:
        """Return the live text as the page assembles it."""
        text = ""
        for each in self.of(OpenThreadText):
            text = text[: each["offset_rx_state_"]] + each["chunk_rx_state_"]
        return text


async def test_an_answer_reaches_the_page_in_rows_and_pieces(serve: Serve) -> None:
    answer = ["One ", 0.2, "two ", 0.2, "three.", 60.0]
    async with serve([answer]) as shared:
        tab = OpenTab()
        with tab.context():
            thread = await shared.api.create_thread("Count")
            async with tab.thread() as opened:
                opened._open(thread.id)
            async with tab.following():
                await eventually(lambda: tab.text() == "One two three.")
                first = next(
                    each
                    for each in tab.sent
                    if each.get(OpenThreadText.get_full_name(), {}).get("run_rx_state_")
                )
                assert first[OpenThread.get_full_name()]["turn_rx_state_"], "a row comes with its first piece"
                async with tab.thread() as opened:
                    assert opened.status == "streaming"
            async with tab.thread() as opened:
                assert opened._followed() is None, "nothing follows a thread for a tab that has left"
        await shared.api.stop_thread(thread.id)


async def test_a_tab_that_switches_threads_receives_nothing_more_of_the_first(serve: Serve) -> None:
    def says(messages: list[dict[str, Any]]) -> list[Any]:
        word = messages[-1]["content"]
        return [part for _ in range(40) for part in (f"{word} ", 0.05)]

    async with serve(says) as shared:
        tab = OpenTab()
        with tab.context():
            first, second = [await shared.api.create_thread(word) for word in ("north", "south")]
            async with tab.thread() as opened:
                opened._open(first.id)
            async with tab.following():
                await eventually(lambda: "north north" in tab.text())
                async with tab.thread() as opened:
                    opened._open(second.id)
                    (await opened.get_state(OpenThreadText))._clear()
                    found = tab_session(opened).find(OpenThread, Subscription)
                    assert found is not None
                    found.switch()
                tab.sent.clear()
                await eventually(lambda: "south south" in tab.text())
                assert "north" not in str(tab.sent)
        for thread in (first, second):
            await shared.api.stop_thread(thread.id)


async def test_switching_threads_drops_the_subscription_and_leaving_ends_it() -> None:
    turned, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def follow() -> None:
        async with background_task(work()):
            await turned.wait()

    waiting = asyncio.create_task(follow())
    await asyncio.sleep(0)
    turned.set()
    await waiting
    assert ended.is_set()
    turned.clear()
    ended.clear()
    leaving = asyncio.create_task(follow())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert ended.is_set()


async def test_an_unreadable_thread_is_reported_where_it_is_open(serve: Serve, tab: Tab) -> None:
    async with serve([]):
        subscription = Subscription(tab.thread, tab.stream)
        tab.thread._open("thread_gone")
        await subscription._follow_open()
        assert tab.thread.phase == "missing"
        following = asyncio.create_task(subscription._follow_open())
        await asyncio.sleep(0)  # lets the subscription ask for the thread
        tab.thread._open("thread_other")
        await following
        assert tab.thread.phase == "loading", "the tab has another open by now"


async def test_an_unexpected_error_is_shown_and_logged(
    serve: Serve, tab: Tab, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async with serve([["Hello."]]) as shared:
        thread = await shared.api.create_thread("Hi")
        monkeypatch.setattr(OpenThread, "_show", broken)
        tab.thread._open(thread.id)
        await Subscription(tab.thread, tab.stream)._follow_open()
        assert (tab.thread.phase, "See the server log" in tab.thread.notice) == ("error", True)
        assert f"Could not follow thread {thread.id}" in caplog.text


async def test_follower_of_another_thread_shows_nothing_in_this_one(serve: Serve, tab: Tab) -> None:
    async with serve([["Half ", 60.0]]) as shared:
        thread = await shared.api.create_thread("Hi")
        tab.thread._open(thread.id)
        subscription = Subscription(tab.thread, tab.stream)
        with tab_session(tab.thread).attached(OpenThread, subscription):
            async with running(subscription, lambda: bool(tab.thread.turn)):
                assert tab.thread._followed() is not None
                tab.thread._open("thread_other")  # or the tab belongs to another user by now
                await tab.thread.show_earlier()
                tab.thread.show_more(thread.id)
                await tab.stream.resend("", 0)
                assert (tab.thread.turn, tab.thread.phase) == ([], "loading")
        await stopped(shared.api, thread.id)


@asynccontextmanager
async def running(subscription: Subscription, until: Callable[[], bool]) -> AsyncIterator[None]:
    """Run a subscription for a block, which begins once a condition holds."""
    task = asyncio.create_task(subscription.run())
    try:
        await eventually(until)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def stopped(api: AgentApi, thread_id: str) -> None:
    await api.stop_thread(thread_id)
    await api.wait_until_idle(thread_id, 20)
