"""Test tabs' state in a real Redis: all of it is stored, and kept as long as the tab is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
import reflex as rx
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NoRedis
from reflex.istate.manager.redis import StateManagerRedis
from reflex.state import StateUpdate
from reflex_base.constants.state import FIELD_MARKER
from reflex_base.registry import RegistrationContext

from agent_core.testing import eventually
from chat_app.session.tab_state import Outage, TabKeepalive
from chat_app.thread_list.list_feed import THREADS
from chat_app.thread_list.thread_list import ThreadList
from tests.chat_app.support import Serve
from tests.tools import redis

HOUR = 3600  # seconds; Reflex's expiration of a state


@asynccontextmanager
async def a_process(redis_url: str) -> AsyncIterator[StateManagerRedis]:
    """Yield the state manager of a new process."""
    manager = StateManagerRedis(redis=Redis.from_url(redis_url), token_expiration=HOUR)
    try:
        yield manager
    finally:
        await manager.close()


@pytest.fixture
def tab() -> rx.BaseStateToken:
    return rx.BaseStateToken(ident=str(uuid4()), cls=rx.State)


@asynccontextmanager
async def rows_of(tab: rx.BaseStateToken, redis_url: str) -> AsyncIterator[ThreadList]:
    """Yield the thread list's state of a tab in a new process, and store it."""
    async with a_process(redis_url) as manager, manager.modify_state(tab) as root:
        yield await root.get_state(ThreadList)


async def test_another_process_continues_the_thread_list_of_a_tab(
    serve: Serve, redis_url: str, tab: rx.BaseStateToken
) -> None:
    async with serve([]) as shared:
        feed = shared.shared_lists[THREADS]
        await shared.api.create_thread(title="First")
        await eventually(lambda: len(feed.newest) == 1)
        async with rows_of(tab, redis_url) as rows:
            rows._open()
            await rows._show_window()
            assert [row.title for row in rows.patch.rows] == ["First"]
            first = rows.patch.number
        async with rows_of(tab, redis_url) as rows:
            await ThreadList.event_handlers["load_more"].fn(rows, 50)  # there are no more
            assert rows.patch.number == first
        await shared.api.create_thread(title="Second")
        await eventually(lambda: len(feed.newest) == 2)
        async with rows_of(tab, redis_url) as rows:
            await rows._show_window()
            assert (rows.patch.base, [row.title for row in rows.patch.rows]) == (first, ["Second"])
            assert rows.patch.limit == 100


async def test_an_open_tab_keeps_every_part_of_its_state(redis_url: str, tab: rx.BaseStateToken) -> None:
    with RegistrationContext.ensure_context().fork():
        app = rx.App()
        app._enable_state()
    assert app.event_namespace
    tabs = app.event_namespace._token_manager
    await tabs.link_token_to_sid(tab.ident, "a socket")
    async with a_process(redis_url) as manager:
        app._state_manager = manager
        async with manager.modify_state(tab) as root:
            (await root.get_state(ThreadList)).active_id = "thread_1"
            root.router_data = {"pathname": "/"}
    async with a_process(redis_url) as manager:
        app._state_manager = manager
        parts = [key async for key in manager.redis.scan_iter(f"{tab.ident}_*state*")]
        assert len(parts) >= 2
        for part in parts:
            await manager.redis.expire(part, HOUR // 2)
        await TabKeepalive(app).touch()
        assert [await manager.redis.ttl(part) for part in parts] == pytest.approx([HOUR] * len(parts), abs=60)


async def test_a_tab_of_another_process_is_left_to_it(redis_url: str, tab: rx.BaseStateToken) -> None:
    with RegistrationContext.ensure_context().fork():
        app = rx.App()
        app._enable_state()
    assert app.event_namespace
    tabs = app.event_namespace._token_manager
    await tabs.link_token_to_sid(tab.ident, "a socket")
    assert TabKeepalive(app)._connected() == [tab.ident]
    tabs._reset_instance_id()  # now the record is another process's
    assert TabKeepalive(app)._connected() == []


async def test_a_tab_whose_state_redis_lost_between_two_events_is_found_at_the_next_look(
    tab: rx.BaseStateToken,
) -> None:
    """Redis restarts, empty, before any event has failed."""
    with redis.running() as server:
        with RegistrationContext.ensure_context().fork():
            app = rx.App()
            app._enable_state()
        async with a_process(server.url) as manager:
            app._state_manager = manager
            keepalive = TabKeepalive(app)
            assert [await keepalive._is_back() for _ in range(2)] == [False, False]
            server.kill()
            assert not await keepalive._is_back()
            server.start()
            assert [await keepalive._is_back() for _ in range(2)] == [True, False]
            keepalive.on_exception(NoRedis("Error 111 connecting to 127.0.0.1."))
            assert await keepalive._is_back()


async def test_tabs_are_told_once_that_redis_is_away_and_once_that_it_is_back(
    monkeypatch: pytest.MonkeyPatch, tab: rx.BaseStateToken
) -> None:
    told: list[Mapping[str, object]] = []

    async def emit(event: str, update: StateUpdate, to: str) -> None:
        told.append(update.delta[Outage.get_full_name()])

    with redis.running() as server:
        with RegistrationContext.ensure_context().fork():
            app = rx.App()
            app._enable_state()
        assert app.event_namespace
        await app.event_namespace._token_manager.link_token_to_sid(tab.ident, "a socket")
        monkeypatch.setattr(app.event_namespace, "emit", emit)
        async with a_process(server.url) as manager:
            app._state_manager = manager
            keepalive = TabKeepalive(app)
            for act, expected in ((None, []), (server.kill, [True]), (server.start, [True, False])):
                if act is not None:
                    act()
                for _ in range(2):
                    await keepalive._is_back()
                assert [each[f"away{FIELD_MARKER}"] for each in told] == expected
