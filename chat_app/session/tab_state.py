"""Keep the state of a tab for as long as the tab is open, and empty it when another user opens the tab.

Reflex drops the state of a tab when nothing has happened in it for an hour (`redis_token_expiration`), open or not. What
followed a thread for the tab then finds an empty state, and the tab would show nothing new until the next
click.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import reflex as rx
from reflex.config import get_config
from reflex.event import Event
from reflex.middleware.middleware import Middleware
from reflex.state import BaseState, StateUpdate

from agent_core.errors import AccessDeniedError
from chat_app.extensions import IDENTITY, caller

_log = logging.getLogger(__name__)

_ROUND_INTERVAL = 60.0  # seconds between two rounds, or a quarter of what Reflex waits if that is less
TAB_TIMEOUT = 5.0  # seconds for one tab; Reflex does not drop a state that is in use
_NO_KEY = "chat:none"
"""Storage key that no browser has a value for; see `_reload`."""


class TabKeepalive:
    """Keeps the states of the tabs that are connected to an app.

    Args:
        app: whose tabs.
    """

    def __init__(self, app: rx.App) -> None:
        self._app = app
        self._known: set[str] = set()  # tokens of tabs that had loaded their page at the last round

    async def run(self) -> None:
        """Keep the states until cancelled, in rounds."""
        period = min(_ROUND_INTERVAL, get_config().redis_token_expiration / 4)
        while True:
            await asyncio.sleep(period)
            await self.touch()

    async def touch(self) -> None:
        """Use each connected tab's state once, so that Reflex keeps it; a tab whose state is gone loads its page anew.

        It is gone when the machine slept: the hour has passed then, and the socket may still be open. A draft is
        kept in the browser, and everything else is read again.
        """
        namespace = self._app.event_namespace
        connected = list(namespace.token_to_sid) if namespace else []
        loaded: set[str] = set()
        for token in connected:
            try:
                async with asyncio.timeout(TAB_TIMEOUT):
                    if await self._has_loaded(token):
                        loaded.add(token)
                    elif token in self._known:
                        await self._reload(token)
            except TimeoutError:
                loaded |= self._known & {token}
            except Exception:
                _log.exception("Could not keep the state of a tab alive")
        self._known = loaded

    async def _has_loaded(self, token: str) -> bool:
        """Whether the state of a tab knows its page; asking keeps it."""
        async with self._app.modify_state(rx.BaseStateToken(ident=token, cls=rx.State)) as state:
            return bool(state.router_data)

    async def _reload(self, token: str) -> None:
        """Have a tab read its page again, as after a reconnection.

        Reflex's pages do so when a key of theirs is removed from the browser's store. Closing the socket would
        do, but a browser is told of that by time-outs; and a script may not run (`chat_app.server.pages.content_policy`).
        """
        assert self._app.event_namespace
        read_again = Event.from_event_type(rx.remove_session_storage(_NO_KEY))
        await self._app.event_namespace.emit_update(StateUpdate(events=read_again), token)


class TabOwner(rx.State):
    """The user who has had this tab open; "" for one who was not signed in, None before the first event."""

    _user_id: str | None = None


class TabOwnerCheck(Middleware):
    """Empties the state of a tab before anything is done in it for another user.

    A tab keeps its state when another person signs in, and Reflex sends all of it when a page loads,
    before any of our handlers is asked.
    """

    async def preprocess(self, app: rx.App, state: BaseState, event: Any) -> None:
        """Compare the user of each event with the one before; an app without users has nothing to compare."""
        if not IDENTITY:
            return
        root = state._get_root_state()
        try:
            ctx = caller(root.router.headers.raw_headers)  # pyright: ignore[reportAttributeAccessIssue]
        except AccessDeniedError:
            ctx = None
        user_id = ctx.user_id if ctx else ""
        owner = await root.get_state(TabOwner)
        if owner._user_id not in (None, user_id):
            root.reset()
        owner._user_id = user_id
