"""Lifetime of a tab's state: kept while the tab is open, and reset when another user opens the tab.

Reflex drops a tab's state after an hour without events (`redis_token_expiration`), even if the tab is open. A
handler that follows a thread would then find an empty state, and the tab would show nothing new until the
next click.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any

import reflex as rx
from redis.exceptions import ConnectionError as NoRedis
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as SlowRedis
from reflex.config import get_config
from reflex.event import Event
from reflex.istate.manager.redis import StateManagerRedis
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate
from reflex_base.constants import RouteVar, SocketEvent
from reflex_base.constants.state import FIELD_MARKER

from agent_core.errors import AccessDeniedError
from agent_core.support.ids import new_id
from chat_app.accounts.gate import is_for_visitors, pages_origin, sign_in_address
from chat_app.extensions import IDENTITY, caller
from chat_app.logs import log_exception
from chat_app.server.sign_in import SignIn
from chat_app.session.service import note_seen

_log = logging.getLogger(__name__)

_ROUND_INTERVAL = 60.0  # seconds between two rounds; a quarter of Reflex's expiration if that is less
_LOOK_INTERVAL = 1.0  # seconds between two looks at whether Redis is there, and holds what it held
TAB_TIMEOUT = 5.0  # seconds for one tab; Reflex does not drop a state that is in use
_MARK = "chat:mark"
"""Key in Redis whose value changes if Redis loses what it holds."""
_NO_KEY = "chat:none"
"""Storage key for which no browser has a value; see `_reload`."""


class Outage(rx.State):
    """State that the keepalive sends to tabs past Redis, which holds the states, while Redis is away.

    Attributes:
        away: whether Redis is away.
    """

    away: bool = False


class TabKeepalive:
    """Keepalive of the states of all tabs that are connected to an app.

    Args:
        app: app of the tabs.
    """

    def __init__(self, app: rx.App) -> None:
        self._app = app
        self._known: set[str] = set()  # tokens of tabs that had loaded their page in the last round
        self._outage = False  # whether an event failed because Redis was away
        self._mark: str | None = None  # what Redis holds under `_MARK`
        self._told = False  # whether the tabs show that Redis is away

    async def run(self) -> None:
        """Touch the states at regular intervals, and reload the tabs once Redis is back after an outage, until cancelled."""
        period = min(_ROUND_INTERVAL, get_config().redis_token_expiration / 4)
        next_round = time.monotonic() + period
        while True:
            await asyncio.sleep(min(period, _LOOK_INTERVAL))
            if await self._is_back():
                self._outage = False
                await self._reload_all()
            elif time.monotonic() >= next_round:
                await self.touch()
                next_round = time.monotonic() + period

    async def _reload_all(self) -> None:
        """Reload every tab: a state may be lost, and one that is kept may have lost what feeds it."""
        for token in self._connected():
            try:
                await self._reload(token)
            except Exception:
                _log.exception("Could not reload a tab after an outage of Redis")

    def on_exception(self, exception: Exception) -> None:
        """Log what an event of a tab raised; if Redis is away, look after the tabs when it is back."""
        log_exception(exception)
        if isinstance(exception, (NoRedis, SlowRedis)):  # not a lock that a dead process has held
            self._outage = True

    async def _is_back(self) -> bool:
        """Return whether Redis answers after an outage, or has lost what it held: it may restart between two events."""
        manager = self._app.state_manager
        if not isinstance(manager, StateManagerRedis):
            return self._outage
        try:
            await manager.redis.set(_MARK, new_id("mark"), nx=True)
            mark = str(await manager.redis.get(_MARK))
        except (RedisError, OSError):
            await self._tell(away=True)
            return False
        await self._tell(away=False)
        is_other, self._mark = self._mark not in (None, mark), mark
        return self._outage or is_other

    async def _tell(self, *, away: bool) -> None:
        """Show every tab whether Redis is away, if that has changed; no event of theirs is answered meanwhile."""
        if self._told == away:
            return
        self._told = away
        assert self._app.event_namespace
        update = StateUpdate(delta={Outage.get_full_name(): {f"away{FIELD_MARKER}": away}})
        for token in self._connected():
            await self._app.event_namespace.emit_update(update, token)

    async def touch(self) -> None:
        """Use each connected tab's state once, so that Reflex keeps it; reload a tab whose state is gone.

        A state is gone after the machine slept for an hour, although the socket may still be open. A reload
        loses nothing: the browser keeps the draft, and everything else is read again.
        """
        loaded: set[str] = set()
        for token in self._connected():
            try:
                async with asyncio.timeout(TAB_TIMEOUT):
                    await self._prolong(token)
                    if await self._has_loaded(token):
                        loaded.add(token)
                    elif token in self._known:
                        await self._reload(token)
            except TimeoutError:
                loaded |= self._known & {token}
            except Exception:
                loaded |= self._known & {token}
                _log.exception("Could not keep the state of a tab alive")
        self._known = loaded

    def _connected(self) -> list[str]:
        """Return the tokens of the tabs that have a socket in this process; Redis shows those of others, too."""
        if (namespace := self._app.event_namespace) is None:
            return []
        tabs = namespace._token_manager
        return [token for token, at in tabs.token_to_socket.items() if at.instance_id == tabs.instance_id]

    async def _prolong(self, token: str) -> None:
        """Make Redis keep every part of a tab's state; it renews only the parts that an event changes."""
        manager = self._app.state_manager
        if not isinstance(manager, StateManagerRedis):
            return
        tab = rx.BaseStateToken(ident=token, cls=rx.State)
        async with manager.redis.pipeline(transaction=False) as pipeline:
            for part in _parts(rx.State):
                pipeline.expire(tab._state_key(part), manager.token_expiration)
            await pipeline.execute()

    async def _has_loaded(self, token: str) -> bool:
        """Return whether a tab's state has loaded its page; the check itself keeps the state alive.

        A state that was made for an event, because the tab's own was gone, has an address, but no page.
        """
        async with self._app.modify_state(rx.BaseStateToken(ident=token, cls=rx.State)) as state:
            return bool(state.router_data) and state.is_hydrated  # pyright: ignore[reportAttributeAccessIssue]

    async def _reload(self, token: str) -> None:
        """Make a tab load its page again, as after a reconnection.

        A Reflex page does so when one of its keys is removed from session storage. Closing the socket would
        also work, but a browser may notice that only after a timeout; a script would be blocked by
        `chat_app.server.pages.content_policy`.
        """
        assert self._app.event_namespace
        read_again = Event.from_event_type(rx.remove_session_storage(_NO_KEY))
        await self._app.event_namespace.emit_update(StateUpdate(events=read_again), token)


def _parts(state: type[BaseState]) -> Iterator[type[BaseState]]:
    """Return a state class and all classes below it."""
    yield state
    for each in state.get_substates():
        yield from _parts(each)


class TabOwner(rx.State):
    """State with the last user of this tab: "" for one who was not signed in, None before the first event."""

    _user_id: str | None = None
    _role: str = ""


class TabOwnerCheck(Middleware):
    """Middleware that resets a tab's state before it handles an event of another user, or of one with another role.

    A tab keeps its state when another user signs in, and Reflex sends the whole state when a page loads,
    before any of our handlers runs. If the app itself signs people in, an event of nobody is not handled at
    all, except on pages for visitors: the tab loads its address again, which leads to the sign-in. In development,
    where this server does not serve the pages, it is sent there.
    """

    def __init__(self, sign_in: SignIn | None = None) -> None:
        self._has_sign_in_page = sign_in is not None and sign_in.has_sessions

    async def preprocess(self, app: rx.App, state: BaseState, event: Any) -> StateUpdate | None:
        """Reset the state if the last event was another user's; do nothing in an app without users."""
        if not IDENTITY:
            return None
        root: Any = state._get_root_state()
        route, sid = str(root.router_data.get(RouteVar.PATH, "")), root.router.session.session_id
        try:
            ctx = caller(root.router.headers.raw_headers)
        except AccessDeniedError:
            ctx = None
        user_id = ctx.user_id if ctx else ""
        owner = await root.get_state(TabOwner)
        role = str((ctx.claims or {}).get("role", "")) if ctx else ""
        if owner._user_id is not None and (owner._user_id, owner._role) != (user_id, role):
            root.reset()
        owner._user_id, owner._role = user_id, role
        note_seen(ctx)
        if ctx is None and self._has_sign_in_page and not is_for_visitors(route):
            if pages_origin(host := root.router.headers.host):
                page = root.router.url
                asked = f"{page.path}?{page.query}" if page.query else page.path
                return StateUpdate(events=Event.from_event_type(rx.redirect(sign_in_address(host, asked))))
            await _load_again(app, sid)
            return StateUpdate()
        return None


async def _load_again(app: rx.App, sid: str) -> None:
    """Make the tab with a socket load its address again, as for pages of another version.

    Reflex's redirect would stay inside the page, and a script would be blocked by
    `chat_app.server.pages.content_policy`.
    """
    if app.event_namespace is not None:
        told = {"backend": "signed out", "reload_cooldown_ms": -1}  # reload every time
        await app.event_namespace.emit(str(SocketEvent.STATE_MISMATCH), told, to=sid)
