"""The list of threads in the sidebar."""

from contextlib import suppress

import reflex as rx

from agent_core.errors import ThreadNotFoundError
from chat_app.state.service import service
from chat_app.state.view import ThreadItem


class ThreadList(rx.State):
    """The threads as every tab shows them.

    Attributes:
        active_id: the thread that is open in this tab.
        confirming_id: the thread that is about to be deleted, until the person says so.
    """

    items: list[ThreadItem] = []
    active_id: str = ""
    confirming_id: str = ""
    loaded: bool = False
    model: str = ""
    demo: bool = False

    @rx.event
    def open(self):
        """Show what is known at once, then follow the changes."""
        shared = service()
        self.items, self.loaded = shared.feed.items, shared.feed.version > 0
        self.model, self.demo = shared.choice.name, shared.choice.is_demo
        self.confirming_id = ""
        self.active_id = str(self.thread_id or "")  # pyright: ignore[reportAttributeAccessIssue]  -- the route's argument
        return ThreadList.follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Send the list to this tab whenever it changes, until the tab leaves."""
        feed, version = service().feed, -1
        while True:
            version = await feed.after(version)
            async with self:
                if self.items != feed.items or not self.loaded:
                    self.items, self.loaded = feed.items, True

    @rx.event
    def ask_delete(self, thread_id: str):
        """Ask whether to delete a thread; "" takes the question back."""
        self.confirming_id = thread_id

    @rx.event
    async def delete(self, thread_id: str):
        """Delete a thread for good, running or not."""
        self.confirming_id = ""
        with suppress(ThreadNotFoundError):  # another tab was faster
            await service().api.delete_thread(thread_id)
        return rx.redirect("/") if thread_id == self.active_id else None
