"""State of the open thread of a tab, and the events of its buttons."""

import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import reflex as rx

from agent_core import Thread
from agent_core.errors import AccessDeniedError, AgentCoreError, ThreadNotFoundError, words_of
from chat_app.extensions import check_may_limit
from chat_app.files.file_types import MAX_FILES
from chat_app.plain_text import clean_text, thread_title
from chat_app.session.service import CommandState
from chat_app.thread.follower import Follower
from chat_app.thread.shown_thread import ShownThread
from chat_app.thread.subscription import Reader, ThreadReader
from chat_app.thread.turn_status import doubled_budget, is_paused, is_writing, needs_person, retry_view
from chat_app.thread.views import MessageView, RetryView

RUNNING = ("streaming", "awaiting_tool_results")


class ThreadState(ShownThread, CommandState, mixin=True):
    """Base of the states of a page with one thread: `OpenThread` in the app, and those of `chat_app.hooks`.

    Attributes:
        open_id: the thread in the URL; "" on the page of a new chat.
        phase: loading, ready, missing, deleted or error.
        status: the status of the thread; "" before it has been read.
        error, error_kind: the sentence of the thread's failure, and its `Thread.error_kind`.
        error_info: code and params of a sentence of `agent_core.sentences`; {} for any other sentence.
        queued: messages that the user sent during the turn under way.
        left_out: number of messages between the history and the turn that are not shown.
        stored_prompts: ids of the user's newest stored messages, which the outbox need not show any more.
        rejected: the id of a message that could not be sent; the composer takes its text back.
        incomplete_reason: the reason why the last answer is incomplete: "length", "content-filter", …, or the kind
            of the error with which it failed; "" if it is complete.
        answer_id: the id of the last answer; "" while there is none.
        thinking: the agent is at work but shows no activity yet.
        resuming: the agent is at work on an answer that was interrupted.
        needs_person: a tool call waits for an approval or an answer.
        sent: the id of the last message sent from this tab; a new value scrolls the view to the end.
    """

    open_id: str = ""
    phase: str = "ready"
    title: str = ""
    status: str = ""
    error: str = ""
    error_info: dict[str, Any] = {}
    error_kind: str = ""
    incomplete_reason: str = ""
    answer_id: str = ""
    retry: RetryView = RetryView()
    thinking: bool = False
    resuming: bool = False
    needs_person: bool = False
    queued: list[MessageView] = []
    earlier: bool = False
    left_out: int = 0
    anchor: str = ""
    stored_prompts: list[str] = []
    rejected: str = ""
    sent: str = ""
    _retry_key: tuple[Any, ...] | None = None
    _created: str = ""  # the thread that the new-chat page, which may still be shown, has created

    @rx.var
    def is_running(self) -> bool:
        """Return whether the agent is at work or waits for an outcome."""
        return self.status in RUNNING

    @rx.var
    def is_paused(self) -> bool:
        """Return whether a limit or a budget has paused the turn."""
        return self.is_running and is_paused({"kind": self.retry.kind})

    @rx.var
    def is_empty(self) -> bool:
        """Return whether this is the page of a new chat."""
        return not self.open_id

    def _open(self, thread_id: str) -> None:
        """Open a thread; if the tab already shows it, keep its rows until they are read again."""
        if thread_id != self.open_id:
            self._clear(thread_id)
        self.notice, self._created = "", ""

    def _clear(self, open_id: str) -> None:
        self.reset()
        self.open_id = open_id
        self.phase = "loading" if open_id else "ready"

    # Interface of the subscription

    def _opened(self) -> str:
        return self.open_id

    def _reader(self) -> Reader:
        return ThreadReader(self._api(), self.open_id)

    def _show(self, follower: Follower) -> None:
        """Show the rows of a follower; unchanged vars are not sent again."""
        if follower.deleted:
            self._clear(self.open_id)
            self.phase = "deleted"
            return
        history, turn = follower.history(), follower.turn()
        status = str(follower.thread.get("status") or "")
        self._set(
            phase="ready",
            title=thread_title(follower.thread.get("title")),
            status=status,
            queued=follower.queued(),
            earlier=follower.has_earlier(),
            left_out=follower.left_out(),
            anchor=history[0].id if history else "",
            stored_prompts=follower.stored_prompts(),
            thinking=status == "streaming" and not is_writing(turn),
            resuming=follower.resuming,
            error=clean_text(follower.thread.get("error") or "") if status == "failed" else "",
            error_info=(follower.thread.get("error_info") or {}) if status == "failed" else {},
            error_kind=str(follower.thread.get("error_kind") or "") if status == "failed" else "",
            incomplete_reason=follower.incomplete_reason,
            answer_id=follower.answer_id,
            needs_person=needs_person(turn, follower.thread.get("retry_state") or {}),
            **self._rows(history, turn, follower),
        )
        self._show_retry(follower.thread.get("retry_state"))

    def _rows(
        self, history: list[MessageView], turn: list[MessageView], follower: Follower
    ) -> dict[str, Any]:
        """Return the vars with the messages before the turn under way, and with that turn."""
        raise NotImplementedError

    def _show_retry(self, state: dict[str, Any] | None) -> None:
        key = tuple(state.get(name) for name in ("kind", "attempt", "next_at", "error")) if state else None
        if key == self._retry_key:
            return
        self._retry_key = key
        if state is None:
            self.retry = RetryView()
        else:
            view = retry_view(state, self._api().store.clock.now())
            self.retry = replace(view, may_raise=self._may_raise(state))

    def _may_raise(self, state: dict[str, Any]) -> bool:
        """Return whether the user may raise the budget for which the thread waits, if it waits for one."""
        try:
            check_may_limit(self._ctx())
        except AccessDeniedError:
            return False
        return doubled_budget(state) is not None

    def _show_error(self, error: AgentCoreError) -> None:
        self._clear(self.open_id)
        self.phase = "missing" if isinstance(error, ThreadNotFoundError | AccessDeniedError) else "error"
        self.notice = words_of(error)

    # Events of the user

    @rx.event
    async def show_earlier(self):
        """Show another page of earlier messages."""
        if reader := self._followed():
            reader.follower.show_earlier()
            await self._show_window(reader)

    @rx.event
    async def show_left_out(self):
        """Show another page of the messages left out between the linked message and the turn."""
        if reader := self._followed():
            reader.follower.show_left_out()
            await self._show_window(reader)

    @rx.event
    async def seek(self, message_id: str):
        """Show the linked message with the messages around it."""
        if reader := self._followed():
            reader.follower.show_around(message_id)
            await self._show_window(reader)

    async def _show_window(self, reader: Reader) -> None:
        with suppress(AgentCoreError):  # the thread was deleted; the subscription shows that
            await reader.read_times()
        self._show(reader.follower)

    @rx.event
    def show_more(self, message_id: str):
        """Show more of a very long prompt."""
        if reader := self._followed():
            reader.follower.show_more(message_id)
            self._show(reader.follower)

    @rx.event
    async def send(self, text: str, message_id: str, files: list[dict[str, Any]]):
        """Send a message with its files to the open thread; without an open thread, create one.

        `message_id` is the idempotency key: a message sent twice is stored once and causes one turn and
        at most one new thread. While the agent is at work, the message is queued. A message that cannot
        be sent goes back to the composer.
        """
        return await self._send(self.open_id, text, message_id, files)

    @rx.event
    async def send_to(self, text: str, message_id: str, files: list[dict[str, Any]], thread_id: str):
        """Send a message to the thread that the page showed, even if another one is open now.

        Args:
            text, message_id, files: as of `send`.
            thread_id: the thread. `created_thread_id(message_id)` creates a new one; so does "", unless the
                new-chat page has just created a thread, which then gets the message.
        """
        if not thread_id and self.open_id == self._created:
            thread_id = self._created
        return await self._send(thread_id, text, message_id, files)

    async def _send(self, thread_id: str, text: str, message_id: str, files: list[dict[str, Any]]) -> Any:
        text = clean_text(text)
        prompt = [{"type": "text", "text": text}] if text.strip() else []
        prompt += [_file_part(part) for part in files[:MAX_FILES]]
        if not prompt:
            return None
        self.notice, self.rejected = "", ""
        try:
            if thread_id and thread_id != created_thread_id(message_id):
                await self._api().send_message(thread_id, prompt, message_id=message_id, when_busy="queue")
                if thread_id == self.open_id:
                    self.sent = message_id
                return None
            thread = await self._create_once(prompt, message_id)
        except AgentCoreError as error:
            self.notice, self.rejected = words_of(error), message_id
            return None
        if thread.id == self.open_id:  # sent twice; the first request created the thread
            self.sent = message_id
            return None
        self._clear(thread.id)
        self.sent, self._created = message_id, thread.id
        return self._open_created(thread.id)

    def _open_created(self, thread_id: str) -> Any:
        """Return the event that opens a thread created in this tab."""
        return rx.redirect(f"/chat/{thread_id}")

    async def _create_once(self, prompt: list[dict[str, Any]], message_id: str) -> Thread:
        """Create a thread with a message, or return the thread that an earlier request with it created."""
        thread_id = created_thread_id(message_id)
        if thread_id is not None and (thread := await self._api().get_thread(thread_id)) is not None:
            return thread
        return await self._create(prompt, message_id, thread_id=thread_id)

    async def _create(self, prompt: list[dict[str, Any]], message_id: str, **named: Any) -> Thread:
        return await self._api().create_thread(prompt, message_id=message_id, **named)

    @rx.event
    async def stop(self):
        """Stop the agent and keep the text that it has written."""
        await self._do("stop_thread")

    @rx.event
    async def resume(self):
        """Run the interrupted step again: Retry after a failure, Continue after a stop."""
        await self._do("resume_thread")

    @rx.event
    async def double_budget(self):
        """Double the budget for which the thread waits, so that it goes on."""
        thread = await self._do("get_thread")
        if thread and (doubled := doubled_budget(thread.retry_state or {})):
            budget, scope = doubled
            await self._call("limits.set_budget", budget, **scope)

    @rx.event
    async def continue_answer(self, words: str):
        """Continue an incomplete answer: `words` ask the agent to go on, as a message of the user."""
        if self.incomplete_reason and (text := clean_text(words).strip()):
            await self._do("resume_thread", text)

    @rx.event
    async def approve(self, call_id: str, edited: dict[str, Any] | None = None):
        """Approve a tool call, with exactly the arguments shown or with the user's edited arguments."""
        await self._do("approve_tool_calls", [call_id], args=None if edited is None else {call_id: edited})

    @rx.event
    async def deny(self, call_id: str, reason: str = ""):
        """Deny a tool call, optionally with a reason."""
        await self._do("deny_tool_calls", [call_id], clean_text(reason).strip() or None)

    @rx.event
    async def answer(self, form: dict[str, Any]):
        """Store the user's answer as the result of the tool call that waits for it."""
        words = clean_text(str(form.get("answer") or "")).strip()
        if words:
            await self._call("add_tool_result", str(form.get("call_id")), words, thread_id=self.open_id)

    async def _do(self, method: str, *args: Any, **options: Any) -> Any:
        """Call an API method with the open thread through `_call`; do nothing if no thread is open."""
        return await self._call(method, self.open_id, *args, **options) if self.open_id else None

    @rx.event
    def dismiss(self):
        """Dismiss the notice."""
        self.notice = ""


def created_thread_id(message_id: str) -> str | None:
    """Return the id of the thread that a new chat's first message creates; None lets the API choose one.

    Deriving it from the message's id makes a repeated request create one thread.
    """
    made = re.fullmatch(r"msg_([0-9A-HJKMNP-TV-Z]{26})", message_id)
    return f"thread_{made[1]}" if made else None


def _file_part(part: dict[str, Any]) -> dict[str, Any]:
    """Return the file part without any field that the upload route did not give the page."""
    return {"type": "file"} | {
        key: part.get(key) for key in ("mediaType", "url", "filename") if part.get(key)
    }
