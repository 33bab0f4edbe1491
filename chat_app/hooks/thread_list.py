"""State mixin of pages that list the threads of any API, from which `use_thread_list` creates classes."""

from __future__ import annotations

import asyncio
import logging

import reflex as rx

from agent_core.errors import AgentCoreError
from chat_app.hooks.apis import HookState
from chat_app.plain_text import one_line
from chat_app.session.user_lists import READ_INTERVAL
from chat_app.thread_list.thread_views import ThreadItem, thread_item

_log = logging.getLogger(__name__)
PAGE = 50
"""Number of threads that are shown at first, and that `load_more` adds."""


class ThreadListing(HookState, mixin=True):
    """State of a page that lists a user's threads, with events that change them.

    Attributes:
        threads: the threads without archived ones, newest activity first: `id`, `title`, `tone`, `at` and `pinned`.
        more: whether there are older threads.
        is_loading: whether the list has not been read yet.
        notice: error of the last command, as a sentence; "" if it succeeded.
    """

    threads: list[ThreadItem] = []
    more: bool = False
    is_loading: bool = True
    _limit: int = PAGE

    @rx.event
    async def load(self):
        """Read the list and follow it. Put this event into the page's on_load."""
        await self._read()
        return type(self).follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Send this tab the changes of the list until the tab leaves."""
        async with self:
            api = self._api()
        async for _ in api.changes():
            async with self:
                await self._read()
            await asyncio.sleep(READ_INTERVAL)

    @rx.event
    async def load_more(self):
        """Show another page of threads."""
        if self.more:
            self._limit += PAGE
            await self._read()

    @rx.event
    async def rename(self, thread_id: str, title: str):
        """Rename a thread; ignore a blank title."""
        if words := one_line(title):
            await self._call("update_thread", thread_id, title=words)
            await self._read()

    @rx.event
    async def delete(self, thread_id: str):
        """Delete a thread, even a running one."""
        await self._call("delete_thread", thread_id)
        await self._read()

    async def _read(self) -> None:
        try:
            api = self._api()
            known = await api.list_threads(self._limit + 1)
            shown = known[: self._limit]
            ids = [thread.id for thread in shown]
            waiting = {thread.id for thread in await api.list_threads(self._limit, waiting=True, among=ids)}
        except AgentCoreError as error:  # the page keeps what it has, and the next change reads again
            _log.warning("Could not read a list of threads: %s", error)
            return
        found = [thread_item(thread, thread.id in waiting) for thread in shown]
        if found != self.threads:
            self.threads = found
        self.more, self.is_loading = len(known) > len(shown), False
