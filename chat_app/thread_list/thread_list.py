"""States of the thread lists: the sidebar and the archive."""

from __future__ import annotations

import logging
from operator import attrgetter
from typing import Any

import reflex as rx

from agent_core.errors import AgentCoreError, ThreadNotFoundError
from chat_app.model.model_choice import without_credentials
from chat_app.plain_text import file_name, one_line
from chat_app.session.service import ApiCaller, service
from chat_app.session.tab_session import tab_session
from chat_app.thread.markdown_export import to_markdown
from chat_app.thread_list.list_feed import ARCHIVE, THREADS, ListFeed
from chat_app.thread_list.list_patch import ListWindow
from chat_app.thread_list.thread_views import ThreadPatch

_log = logging.getLogger(__name__)

UNDO_SECONDS = 8
"""Time to restore a deleted thread that the page shows, in seconds."""
_UNDO_GRACE_SECONDS = 4
"""Extra time to restore a thread, in seconds, so that a last-moment Undo works on a slow connection."""


class ThreadRows(ApiCaller, mixin=True):
    """Base of the states of a thread list; the browser keeps the rows.

    Attributes:
        patch: the newest patch.
        active_id: the id of the thread that is open in this tab.
    """

    patch: ThreadPatch = ThreadPatch()
    active_id: str = ""
    _window: ListWindow | None = None
    _connection: str = ""

    def _feed(self) -> ListFeed:
        return self._lists()[THREADS]

    def _changing(self) -> ListWindow:
        """Return the window for a change; assigned, because Redis stores only states with an assigned var."""
        self._window = self._window or ListWindow()
        return self._window

    def _open(self) -> None:
        connection = self.router.session.session_id
        if self._window is None or connection != self._connection:  # a reloaded page has no rows
            self._connection = connection
            self._window = ListWindow()
        self.active_id = str(getattr(self, "thread_id", "") or "")  # the route's argument

    def _show(self) -> None:
        feed = self._feed()
        if feed.version and (patch := self._changing().patch(feed)):
            self.patch = patch

    async def _show_window(self) -> None:
        """Show all threads of the window, once they have been read."""
        window = self._changing()
        if watching := tab_session(self).find(self.__class__, ListWindow):
            watching.limit = window.limit  # Redis returns the state's window as another object
        await self._feed().read_for(window)
        self._show()

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Send this tab the changes of the list until the tab leaves."""
        async with self:
            window, feed, version = self._changing(), self._feed(), 0
            session = tab_session(self)
        with session.attached(self.__class__, window), feed.watched(window):
            await feed.read_for(window)
            while True:
                version = await feed.after(version)
                async with self:
                    self._show()

    @rx.event
    async def load_more(self, shown: int):
        """Show another page of threads after the `shown` ones."""
        self._changing().extend(shown)
        await self._show_window()

    @rx.event
    async def restore_rows(self, shown: int):
        """Show the `shown` threads that the page had before its connection or the server was replaced."""
        self._changing().restore(shown)
        await self._show_window()

    @rx.event
    def resend(self):
        """Send all rows again to a page that missed a patch."""
        self._changing().reset()
        self._show()

    async def _do(self, method: str, thread_id: str, **options: Any) -> bool:
        """Call an API method; on an error restore the row in the page and return False."""
        try:
            await attrgetter(method)(self._api())(thread_id, **options)
        except AgentCoreError as error:
            if not isinstance(error, ThreadNotFoundError):  # another tab deleted the thread first
                _log.warning("Could not change thread %s: %s", thread_id, error)
            self._correct(thread_id)
            return False
        return True

    def _correct(self, thread_id: str) -> None:
        """Send the stored row of a thread, because the page's optimistic update may be wrong."""
        self._changing().resend(thread_id)
        self._show()

    @rx.event
    async def rename(self, thread_id: str, title: str):
        """Rename a thread; ignore a blank title."""
        if words := one_line(title):
            await self._do("update_thread", thread_id, title=words)

    @rx.event
    async def pin(self, thread_id: str, pinned: bool):
        """Pin or unpin a thread."""
        await self._do("update_thread", thread_id, pinned=pinned)

    @rx.event
    async def archive(self, thread_id: str, archived: bool):
        """Archive or unarchive a thread."""
        await self._do("update_thread", thread_id, archived=archived)

    @rx.event
    async def delete(self, thread_id: str):
        """Delete a thread, even a running one; it can be restored for `UNDO_SECONDS`."""
        await self._do("delete_thread", thread_id, undo_for=UNDO_SECONDS + _UNDO_GRACE_SECONDS)
        return rx.redirect("/") if thread_id == self.active_id else None

    @rx.event
    async def restore(self, thread_id: str, opened: bool):
        """Restore a deleted thread, and open it if `opened`."""
        restored = await self._do("restore_thread", thread_id)
        self._correct(thread_id)  # a list that has not read the deletion yet would send no patch
        return rx.redirect(f"/chat/{thread_id}") if restored and opened else None

    @rx.event
    async def export(self, thread_id: str, names: dict[str, str]):
        """Download a thread as Markdown; `names` are the labels of the roles in the user's language."""
        try:
            thread, messages = (
                await self._api().get_thread(thread_id),
                await self._api().list_messages(thread_id),
            )
        except AgentCoreError as error:
            _log.warning("Could not export thread %s: %s", thread_id, error)
            return None
        if thread is None:
            return None
        return rx.download(
            data=to_markdown(thread, messages, names).encode(), filename=file_name(thread.title, "md")
        )

    @rx.event
    async def share(self, thread_id: str):
        """Create a link through which anyone can read a thread."""
        await self._do("shares.create", thread_id)

    @rx.event
    async def unshare(self, thread_id: str):
        """Revoke a thread's link."""
        await self._do("shares.revoke", thread_id)


class ThreadList(ThreadRows, rx.State):
    """State of the thread list in the sidebar."""

    model: str = ""
    demo: bool = False
    unavailable_url: str = ""

    @rx.event
    def open(self):
        """Show the threads read so far, then follow the changes."""
        shared = service()
        self.model, self.demo = shared.choice.name, shared.choice.is_demo
        url = shared.settings.openai_base_url
        self.unavailable_url = without_credentials(url) if url and shared.choice.problem else ""
        self._open()
        self._show()
        return ThreadList.follow


class Archive(ThreadRows, rx.State):
    """State of the list of archived threads."""

    def _feed(self) -> ListFeed:
        return self._lists()[ARCHIVE]

    @rx.event
    def open(self):
        """Follow the changes of the archive."""
        self._open()
        return Archive.follow
