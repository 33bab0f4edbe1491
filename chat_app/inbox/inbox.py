"""State of the inbox: the tool calls of any thread that wait for the user, and the user's decisions."""

from typing import Any

import reflex as rx

from chat_app.inbox.inbox_feed import INBOX, WaitingView
from chat_app.plain_text import clean_text
from chat_app.session.service import CommandState


class Inbox(CommandState, rx.State):
    """State of the waiting tool calls that a tab shows.

    Attributes:
        items: approvals and questions, longest wait first.
        count: the number of items.
    """

    items: list[WaitingView] = []
    count: int = 0
    loaded: bool = False

    @rx.event
    def open(self):
        """Show the cached list at once, then follow its changes."""
        self.notice = ""
        self._show()
        return Inbox.follow

    @rx.event(background=True, supersedes=True)
    async def follow(self):
        """Send the list to this tab whenever it changes, until the tab closes."""
        async with self:
            feed, version = self._lists()[INBOX], -1
        with feed.watched():
            while True:
                version = await feed.after(version)
                async with self:
                    self._show()

    def _show(self) -> None:
        feed = self._lists()[INBOX]
        if self.items != feed.items or self.loaded != (feed.version > 0):
            self.items, self.count, self.loaded = feed.items, len(feed.items), feed.version > 0

    @rx.event
    async def approve(self, thread_id: str, call_id: str, edited: dict[str, Any] | None):
        """Approve a tool call, with exactly the shown arguments or with those that the user edited."""
        args = None if edited is None else {call_id: edited}
        await self._call("approve_tool_calls", thread_id, [call_id], args=args)

    @rx.event
    async def deny(self, thread_id: str, call_id: str, reason: str):
        """Deny a tool call, with a reason."""
        await self._call("deny_tool_calls", thread_id, [call_id], clean_text(reason).strip() or None)

    @rx.event
    async def answer(self, form: dict[str, Any]):
        """Send the user's answer as the outcome of the tool call that waits for it."""
        words = clean_text(str(form.get("answer") or "")).strip()
        if words:
            named = str(form.get("thread_id"))
            await self._call("add_tool_result", str(form.get("call_id")), words, thread_id=named)
