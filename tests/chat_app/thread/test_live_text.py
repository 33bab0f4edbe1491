"""Test live text, which bypasses the tab's state: it must arrive as the state would send it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import reflex as rx
from reflex.istate.manager.memory import StateManagerMemory
from reflex_base.event.context import EventContext

from chat_app.sharing.shared_thread import SharedText
from chat_app.thread.follower import TextSlice
from chat_app.thread.live_text import LiveText
from chat_app.thread.open_thread import OpenThreadText
from tests.chat_app.support import Tab

Emitted = list[tuple[str, Mapping[str, Mapping[str, Any]]]]


@pytest.fixture
async def emitted() -> AsyncIterator[Emitted]:
    """Messages to the tab "t" other than changes of its state."""
    found: Emitted = []

    async def emit(token: str, delta: Mapping[str, Mapping[str, Any]]) -> None:
        found.append((token, delta))

    async def enqueue(token: str, *events: Any) -> Any:
        raise AssertionError("no event is made of it")

    manager = StateManagerMemory()
    with EventContext(token="t", state_manager=manager, enqueue_impl=enqueue, emit_delta_impl=emit):
        yield found


@pytest.mark.parametrize("kind", [OpenThreadText, SharedText])
async def test_live_text_is_what_the_state_would_send(
    kind: type[LiveText], tab: Tab, emitted: Emitted
) -> None:
    state: Any = await tab.stream._get_root_state().get_state(kind)
    root: rx.State = state._get_root_state()
    state._show(TextSlice("run", 0, "Leases "))
    root._clean()
    state._show(TextSlice("run", 7, "run out."))
    await state._emit(TextSlice("run", 7, "run out."))
    assert emitted == [("t", root.get_delta())]


async def test_live_text_sends_only_what_is_new(tab: Tab, emitted: Emitted) -> None:
    await tab.stream._emit(None)
    await tab.stream._emit(TextSlice("run", 7, ""))
    assert emitted == []
