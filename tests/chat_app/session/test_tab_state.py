"""Test the keepalive of open tabs, one round at a time: kept states, reloads and failures."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import reflex as rx
from redis.exceptions import ConnectionError as NoRedis
from redis.exceptions import LockError
from reflex.istate.manager.memory import StateManagerMemory
from reflex_base.registry import RegistrationContext

from agent_core.testing import eventually
from chat_app.session import tab_state
from chat_app.session.tab_state import TabKeepalive


class Open:
    """An app with connected tabs, which records the reloads that the tabs receive."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with RegistrationContext.ensure_context().fork():
            self.app = rx.App()
            self.app._enable_state()
        self.sent: list[str] = []
        monkeypatch.setattr(self.app.event_namespace, "emit", self._emit)

    async def _emit(self, event: str, update: Any, to: str) -> None:
        if any(event.name == "_remove_session_storage" for event in update.events):
            self.sent.append(to.removeprefix("socket of "))

    async def connect(self, token: str, *, loaded: bool = True) -> None:
        assert self.app.event_namespace
        await self.app.event_namespace._token_manager.link_token_to_sid(token, f"socket of {token}")
        if loaded:
            async with self.app.modify_state(rx.BaseStateToken(ident=token, cls=rx.State)) as state:
                state.router_data, state.is_hydrated = {"pathname": "/"}, True

    def let_go(self, token: str) -> None:
        manager = self.app.state_manager
        assert isinstance(manager, StateManagerMemory)
        manager._purge_token(rx.BaseStateToken(ident=token, cls=rx.State))


@pytest.fixture
def open_app(monkeypatch: pytest.MonkeyPatch) -> Open:
    return Open(monkeypatch)


async def test_only_a_tab_whose_state_is_gone_reloads_its_page(open_app: Open) -> None:
    for token in ("kept", "gone"):
        await open_app.connect(token)
    await open_app.connect("still loading", loaded=False)
    keepalive = TabKeepalive(open_app.app)
    await keepalive.touch()
    open_app.let_go("gone")
    await keepalive.touch()
    assert open_app.sent == ["gone"]
    await keepalive.touch()  # the tab reloads once only, because a reload may take longer than a round
    assert open_app.sent == ["gone"]


async def test_a_busy_tab_is_touched_afterwards_and_does_not_delay_the_others(
    open_app: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tab_state, "TAB_TIMEOUT", 0.5)
    for token in ("busy", "gone"):
        await open_app.connect(token)
    keepalive = TabKeepalive(open_app.app)
    await keepalive.touch()
    open_app.let_go("gone")
    async with open_app.app.modify_state(rx.BaseStateToken(ident="busy", cls=rx.State)):
        await asyncio.create_task(keepalive.touch())
    assert open_app.sent == ["gone"]
    open_app.let_go("busy")
    await keepalive.touch()
    assert open_app.sent == ["gone", "busy"]
    assert caplog.records == []


async def test_an_unreadable_tab_is_logged_and_does_not_affect_the_others(
    open_app: Open, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for token in ("broken", "gone"):
        await open_app.connect(token)
    keepalive = TabKeepalive(open_app.app)
    await keepalive.touch()
    open_app.let_go("gone")
    ask = open_app.app.modify_state

    def modify(token: rx.BaseStateToken) -> Any:
        if token.ident == "broken":
            raise OSError("the place where states are kept is gone")
        return ask(token)

    monkeypatch.setattr(open_app.app, "modify_state", modify)
    await keepalive.touch()
    assert open_app.sent == ["gone"]
    open_app.let_go("broken")
    monkeypatch.setattr(open_app.app, "modify_state", ask)
    await keepalive.touch()
    assert open_app.sent == ["gone", "broken"], "it was known before"
    assert [record.getMessage() for record in caplog.records] == ["Could not keep the state of a tab alive"]


async def test_after_an_outage_of_redis_every_tab_reloads(open_app: Open) -> None:
    """A tab may have kept its state, and lost the task that shows the answer."""
    keepalive = TabKeepalive(open_app.app)
    await open_app.connect("new", loaded=False)
    await open_app.connect("kept")
    running = asyncio.create_task(keepalive.run())
    await asyncio.sleep(0)
    keepalive.on_exception(LockError("a dead process held it: no outage"))
    assert not await keepalive._is_back()
    keepalive.on_exception(NoRedis("Error 111 connecting to 127.0.0.1:6379."))
    await eventually(lambda: len(open_app.sent) == 2)
    assert sorted(open_app.sent) == ["kept", "new"]
    running.cancel()
