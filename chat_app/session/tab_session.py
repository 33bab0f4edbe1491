"""What this process runs for a browser tab, so that the handlers of the tab's events find it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeVar
from weakref import WeakValueDictionary

import reflex as rx

_Work = TypeVar("_Work")


class TabSession:
    """The work that runs for one tab, by the state class that it works for.

    A background handler attaches what it runs (a subscription, the run drawer's watch), and the tab's other
    handlers find it here. It is this process's alone: a state may be kept elsewhere, and what runs can not.
    """

    def __init__(self) -> None:
        self._work: dict[type[rx.State], object] = {}

    @contextmanager
    def attached(self, owner: type[rx.State], work: _Work) -> Iterator[_Work]:
        """Let handlers find `work` for as long as it runs; a handler that begins anew takes its place."""
        self._work[owner] = work
        try:
            yield work
        finally:
            if self._work.get(owner) is work:
                del self._work[owner]

    def find(self, owner: type[rx.State], kind: type[_Work]) -> _Work | None:
        """Return what runs for a state class of this tab; None if nothing of that kind does."""
        found = self._work.get(owner)
        return found if isinstance(found, kind) else None


# A session lives for as long as something runs in it: `attached` holds it.
_sessions: WeakValueDictionary[str, TabSession] = WeakValueDictionary()


def tab_session(state: rx.State) -> TabSession:
    """Return the session of the tab that a state belongs to."""
    return _sessions.setdefault(state.router.session.client_token, TabSession())


@asynccontextmanager
async def background_task(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run a coroutine in the background while open; the rest of it is cancelled."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
