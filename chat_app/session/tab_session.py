"""Work that this process runs for a browser tab, where the tab's event handlers can find it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import reflex as rx

_Work = TypeVar("_Work")


class TabSession:
    """Running work of one tab, by the state class that it serves.

    A background handler attaches its work (a subscription, the run drawer's watch), and the tab's other
    handlers find it here. A session belongs to this process: unlike a state, running work cannot be stored
    elsewhere.
    """

    def __init__(self) -> None:
        self._work: dict[type[rx.State], object] = {}

    @contextmanager
    def attached(self, owner: type[rx.State], work: _Work) -> Iterator[_Work]:
        """Register `work` while the context is open; a handler that starts again replaces it."""
        self._work[owner] = work
        try:
            yield work
        finally:
            if self._work.get(owner) is work:
                del self._work[owner]

    def find(self, owner: type[rx.State], kind: type[_Work]) -> _Work | None:
        """Return the work of class `kind` that runs for a state class of this tab, or None."""
        found = self._work.get(owner)
        return found if isinstance(found, kind) else None


# A session lives while work runs in it, because the open context of `attached` references it.
_sessions: WeakValueDictionary[str, TabSession] = WeakValueDictionary()


def tab_session(state: rx.State) -> TabSession:
    """Return the session of a state's tab."""
    return _sessions.setdefault(state.router.session.client_token, TabSession())


@asynccontextmanager
async def background_task(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine in the background while the context is open, then cancel it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
