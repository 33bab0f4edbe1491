"""The lists of threads: the sidebar's, and the archive's."""

from __future__ import annotations

import logging
from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError, ThreadNotFoundError
from chat_app.model.model_choice import without_credentials
from chat_app.plain_text import one_line
from chat_app.session.service import ApiCaller, service
from chat_app.thread_list.list_feed import ARCHIVE, THREADS, ListFeed
from chat_app.thread_list.list_patch import ListWindow
from chat_app.thread_list.thread_views import ThreadPatch

_log = logging.getLogger(__name__)

UNDO_SECONDS = 8
"""How long a deleted thread can be brought back, as the page says."""
_UNDO_GRACE_SECONDS = 4
"""How much longer it really can: Undo in the last moment still works on a slow line."""


class ThreadRows(ApiCaller, mixin=True):
    """What a page shows of one list of threads; the rows themselves are in the browser.

    Attributes:
        patch: what changed last.
        active_id: the thread that is open in this tab.
    """

    patch: ThreadPatch = ThreadPatch()
    active_id: str = ""
    _window: ListWindow | None = None
    _connection: str = ""

    def _feed(self) -> ListFeed:
        return self._lists()[THREADS]

    def _open(self) -> None:
        connection = self.router.session.session_id
        if self._window is None:
            self._window = ListWindow()
        if connection != self._connection:  # a page that was loaded anew has no rows
            self._connection = connection
            self._window.forget()
            self._window.limit = ListWindow.PAGE
        self.active_id = str(getattr(self, "thread_id", "") or "")  # the route's argument

    def _show(self) -> None:
        feed = self._feed()
        if self._window is not None and feed.version and (patch := self._window.patch(feed)):
            self.patch = patch

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Send this tab what changed, until it leaves."""
        async with self:
            window, feed, version = self._window or ListWindow(), self._feed(), 0
            self._window = window
        with feed.watched(window):
            await feed.reach(window)
            while True:
                version = await feed.after(version)
                async with self:
                    self._show()

    @rx.event
    async def load_more(self, shown: int):
        """Show a page more; `shown` is how many the page has."""
        if self._window is not None:
            self._window.lengthen(shown)
            await self._feed().reach(self._window)
            self._show()

    @rx.event
    async def keep(self, shown: int):
        """Show as many as the page has: it was there before this connection, or before this server."""
        if self._window is not None:
            self._window.reach(shown)
            await self._feed().reach(self._window)
            self._show()

    @rx.event
    def resend(self):
        """Send everything again; the page missed something."""
        if self._window is not None:
            self._window.forget()
            self._show()

    async def _do(self, method: str, thread_id: str, **options: Any) -> bool:
        """Do what a person asked for; what could not be done is shown as it is."""
        try:
            await getattr(self._api(), method)(thread_id, **options)
        except AgentCoreError as error:
            if not isinstance(error, ThreadNotFoundError):  # another tab was faster
                _log.warning("Could not change thread %s: %s", thread_id, error)
            self._correct(thread_id)
            return False
        return True

    def _correct(self, thread_id: str) -> None:
        """Show a row as it is: the page may have foreseen something else."""
        if self._window is not None:
            self._window.doubt(thread_id)
            self._show()

    @rx.event
    async def rename(self, thread_id: str, title: str):
        """Give a thread another title; a blank one changes nothing."""
        if words := one_line(title):
            await self._do("update_thread", thread_id, title=words)

    @rx.event
    async def pin(self, thread_id: str, pinned: bool):
        """Put a thread above the others, or back among them."""
        await self._do("update_thread", thread_id, pinned=pinned)

    @rx.event
    async def archive(self, thread_id: str, archived: bool):
        """Put a thread into the archive, or take it out."""
        await self._do("update_thread", thread_id, archived=archived)

    @rx.event
    async def delete(self, thread_id: str):
        """Delete a thread, running or not; for a moment it can be brought back."""
        await self._do("delete_thread", thread_id, undo_for=UNDO_SECONDS + _UNDO_GRACE_SECONDS)
        return rx.redirect("/") if thread_id == self.active_id else None

    @rx.event
    async def restore(self, thread_id: str, opened: bool):
        """Bring a deleted thread back; `opened` says whether it is to be opened, too."""
        restored = await self._do("restore_thread", thread_id)
        self._correct(thread_id)  # who is quick enough is not even seen to have deleted it
        return rx.redirect(f"/chat/{thread_id}") if restored and opened else None


class ThreadList(ThreadRows, rx.State):
    """The threads in the sidebar."""

    model: str = ""
    demo: bool = False
    unanswered: str = ""

    @rx.event
    def open(self):
        """Show what is known at once, then follow the changes."""
        shared = service()
        self.model, self.demo = shared.choice.name, shared.choice.is_demo
        url = shared.settings.openai_base_url
        self.unanswered = without_credentials(url) if url and shared.choice.problem else ""
        self._open()
        self._show()
        return ThreadList.follow


class Archive(ThreadRows, rx.State):
    """The threads in the archive."""

    def _feed(self) -> ListFeed:
        return self._lists()[ARCHIVE]

    @rx.event
    def open(self):
        """Follow the archive."""
        self._open()
        return Archive.follow
