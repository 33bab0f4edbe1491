"""Actions on messages."""

from typing import Any

import reflex as rx

from agent_core import AgentApi, Message, Thread
from agent_core.errors import AgentCoreError, words_of
from chat_app.plain_text import clean_text
from chat_app.thread.message_views import VOTE
from chat_app.thread.open_thread import OpenThread
from chat_app.thread.views import ReturnedView


class Actions(rx.State):
    """Handlers of a message's actions, without vars: the page follows the thread's changes as usual."""

    async def _do(self, method: str, *args: Any) -> Any:
        """Call an API method with the open thread; if it fails, set the thread's notice and return None."""
        opened = await self.get_state(OpenThread)
        return await opened._do(method, *args)

    @rx.event
    async def edit(self, message_id: str, text: str):
        """Replace the text of a user's message, keep its files, and have it answered again."""
        opened = await self.get_state(OpenThread)
        text = clean_text(text)
        words = [{"type": "text", "text": text}] if text.strip() else []
        try:
            prompt = [*words, *await _files(opened._api(), opened.open_id, message_id)]
        except AgentCoreError as error:
            opened.notice = words_of(error)
            return
        message: Message | None = await opened._do("edit_message", message_id, prompt)
        if message is not None:
            opened.sent = message.id

    @rx.event
    async def regenerate(self, message_id: str):
        """Generate another version of an answer; the previous version is kept."""
        await self._do("regenerate", message_id)

    @rx.event
    async def take_back(self, message_id: str):
        """Withdraw a queued message, and return its text and files to the composer."""
        opened = await self.get_state(OpenThread)
        message: Message | None = await opened._do("withdraw_message", message_id)
        if message is not None:
            files = [part for part in message.parts if part["type"] == "file"]
            opened.returned = ReturnedView(message.id, message.thread_id, clean_text(message.text), files)

    @rx.event
    async def withdraw(self, message_id: str):
        """Withdraw a queued message for good."""
        await self._do("withdraw_message", message_id)

    @rx.event
    async def send_now(self, message_id: str):
        """Stop the current turn, and have a queued message answered at once."""
        await self._do("send_now", message_id)

    @rx.event
    async def select(self, message_id: str):
        """Select another version of a message, and the messages that followed it."""
        await self._do("select_branch", message_id)

    @rx.event
    async def fork(self, message_id: str):
        """Fork the thread at a message, and open the copy."""
        copy: Thread | None = await self._do("fork_thread", message_id)
        return None if copy is None else rx.redirect(f"/chat/{copy.id}")

    @rx.event
    async def vote(self, message_id: str, vote: str):
        """Store the user's vote on an answer: "up", "down", or "" for none."""
        await self._do("change_metadata", {VOTE + message_id: vote if vote in ("up", "down") else None})


async def _files(api: AgentApi, thread_id: str, message_id: str) -> list[dict[str, Any]]:
    messages = await api.list_messages(thread_id)
    own = next((message.parts for message in messages if message.id == message_id), [])
    return [part for part in own if part["type"] == "file"]
