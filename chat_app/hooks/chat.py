"""State mixins of pages that show a thread of any API, from which `use_agent_chat` creates classes."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import reflex as rx

from agent_core import Thread
from agent_core.errors import AgentCoreError
from agent_core.support.ids import new_id
from chat_app.hooks.apis import HookOptions, HookState
from chat_app.plain_text import thread_title
from chat_app.thread.follower import Follower
from chat_app.thread.live_text import LiveText
from chat_app.thread.thread_state import ThreadState
from chat_app.thread.views import MessageView

_MIN_GROWTH = 40
_GROWTH = 8
"""Rows are sent again when the live text has grown by an eighth: nine times its length in total."""


@dataclass(frozen=True)
class _ThreadInfo:
    """Summary of the open thread; all fields are empty if no thread is open."""

    id: str = ""
    title: str = ""
    status: str = ""
    agent: str = ""
    error: str = ""


@dataclass(frozen=True)
class ChatOptions(HookOptions):
    """Options of a chat, with the route of its page and the arguments for new threads."""

    route: str | None = None
    new_thread: dict[str, Any] = field(default_factory=dict)


class Chat(HookState, ThreadState, mixin=True):
    """State of a page that shows a thread, with events that change the thread.

    It inherits the vars and events of `chat_app.thread.thread_state.ThreadState`, such as `error`, `retry`,
    `needs_person`, `approve`, `deny` and `answer`.

    Attributes:
        thread: id, title, status, agent and error of the thread.
        messages: the newest messages, oldest first: `id`, `role`, `text` and `parts`. The `text` of a
            growing answer is updated in larger steps; `message_text` shows every word.
        stored_thread_id: the id of the open thread, stored in the browser tab: a page whose address names no thread
            opens it again after a reload, and after a restart of the server.
    """

    options: ClassVar[ChatOptions]  # pyright: ignore[reportIncompatibleVariableOverride]  -- set once
    live: ClassVar[type[LiveText]]

    thread: _ThreadInfo = _ThreadInfo()
    messages: list[MessageView] = []
    stored_thread_id: str = rx.SessionStorage("")
    _sent_length: int = 0

    @rx.var
    def is_loading(self) -> bool:
        """Return whether the thread is being read."""
        return self.phase == "loading"

    @rx.var
    def is_complete(self) -> bool:
        """Return whether the agent has answered, or was never asked."""
        return self.status == "completed"

    @rx.var
    def is_failed(self) -> bool:
        """Return whether the turn failed; `error` has the reason."""
        return self.status == "failed"

    @rx.var
    def is_stopped(self) -> bool:
        """Return whether a user stopped the turn."""
        return self.status == "stopped"

    @rx.event
    async def load(self, thread_id: str = ""):
        """Open a thread and follow it: the given one, or else that of the page's address.

        Put this event into the page's on_load. A later call opens another thread in place. If the address
        names no thread, a chat without `route` opens the thread that it showed before.
        """
        wanted = thread_id or str(getattr(self, "thread_id", "") or "")
        self._open(wanted or ("" if self.options.route else self.stored_thread_id))
        self.stored_thread_id = self.open_id
        live = await self.get_state(type(self).live)
        live._clear()
        await self._read()
        return self._subscribe()

    async def _read(self) -> None:
        """Read the open thread once, so that the page need not wait for the subscription."""
        if not self.open_id:
            return
        try:
            reader = self._reader()
            async with aclosing(reader.read()) as readings:
                await anext(readings)
            self._show(reader.follower)
        except AgentCoreError as error:
            self._show_error(error)

    def _subscribe(self) -> Any:
        """Switch the tab's subscription to the open thread, or return the event that starts one."""
        subscription = self._subscription()
        if subscription is None:
            return type(self).live.follow
        subscription.switch()
        return None

    @rx.event
    async def send_message(self, message: Any, message_id: str = ""):
        """Send the user's message; create a thread if none is open.

        Args:
            message: the text, or the data of a form, whose first field is the text. It is not typed, because
                the events of forms and of scripts have arguments of different types.
            message_id: the idempotency key.
        """
        fields = message if isinstance(message, dict) else {"message": message}
        text = next(iter(fields.values()), "")
        if not isinstance(text, str):  # clients may send any type
            return None
        event = await self.send(text, message_id or new_id("msg"), [])
        if self._followed() is None:
            await self._read()
        return event

    async def _create(self, prompt: list[dict[str, Any]], message_id: str, **named: Any) -> Thread:
        return await self._api().create_thread(
            prompt, message_id=message_id, **named | self.options.new_thread
        )

    def _open_created(self, thread_id: str) -> Any:
        self.stored_thread_id = thread_id
        if self.options.route:
            return rx.redirect(self.options.route.replace("[thread_id]", thread_id))
        return self._subscribe()

    def _rows(
        self, history: list[MessageView], turn: list[MessageView], follower: Follower
    ) -> dict[str, Any]:
        live = follower.live_text
        self._sent_length = len(live)
        known = follower.thread
        info = _ThreadInfo(
            id=str(known.get("id") or ""),
            title=thread_title(known.get("title")),
            status=str(known.get("status") or ""),
            agent=str(known.get("agent") or ""),
            error=str(known.get("error") or ""),
        )
        return {"thread": info, "messages": [_with_text(row, live) for row in history + turn]}

    def _is_behind(self, follower: Follower) -> bool:
        grown = len(follower.live_text) - self._sent_length
        return grown >= max(_MIN_GROWTH, self._sent_length // _GROWTH)


def _with_text(row: MessageView, live: str) -> MessageView:
    """Return the row of an answer with all of its text so far joined in `text`."""
    if row.role != "assistant":
        return row
    texts = [live if part.live else part.text for part in row.parts if part.kind == "text"]
    return replace(row, text="\n\n".join(text for text in texts if text))


class ThreadOnly(Chat, mixin=True):
    """State of a thread without its messages, for pages that show little more than its status."""

    def _rows(
        self, history: list[MessageView], turn: list[MessageView], follower: Follower
    ) -> dict[str, Any]:
        return super()._rows([], [], follower) | {"messages": []}

    def _is_behind(self, follower: Follower) -> bool:
        return False
