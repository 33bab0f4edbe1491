"""The state of the thread that is open in a tab, and the events of its buttons."""

import re
from contextlib import suppress
from typing import Any

import reflex as rx

from agent_core import Thread
from agent_core.errors import AccessDeniedError, AgentCoreError, ThreadNotFoundError, words_of
from chat_app.files.file_types import MAX_FILES
from chat_app.plain_text import clean_text, thread_title
from chat_app.session.service import CommandState
from chat_app.thread.follower import Follower
from chat_app.thread.shown_thread import ShownThread
from chat_app.thread.subscription import Reader, ThreadReader
from chat_app.thread.turn_status import is_writing, needs_person, retry_view
from chat_app.thread.views import MessageView, RetryView

RUNNING = ("streaming", "awaiting_tool_results")


class ThreadState(ShownThread, CommandState, mixin=True):
    """What a page shows of one thread; `OpenThread` is the app's own, `chat_app.hooks` makes others.

    Attributes:
        open_id: the thread in the URL; "" on the page of a new chat.
        phase: loading, ready, missing, deleted or trouble.
        status: the thread's own; "" before it is known.
        error, error_kind: why the thread failed, in a sentence and as `Thread.error_kind` names it.
        error_info: code and params of that sentence where it is one of ours; else {}.
        queued: what the person has written meanwhile.
        left_out: how many messages are not shown between the history and the turn.
        known: ids of the person's newest messages, which the outbox need not show any more.
        rejected: the id of a message that could not be sent; the composer takes its text back.
        ended: why the last answer ended before its end: "length", "content-filter", …, or the kind of
            the error with which it failed; "" if it did not.
        answer_id: the answer at the end; "" while there is none.
        thinking: at work, with nothing to show for it yet.
        resuming: at work on an answer that was interrupted.
        needs_person: a tool waits for a yes or for an answer.
        sent: the id of the last message sent from here; the view moves to the end with it.
    """

    open_id: str = ""
    phase: str = "ready"
    title: str = ""
    status: str = ""
    error: str = ""
    error_info: dict[str, Any] = {}
    error_kind: str = ""
    ended: str = ""
    answer_id: str = ""
    retry: RetryView = RetryView()
    thinking: bool = False
    resuming: bool = False
    needs_person: bool = False
    queued: list[MessageView] = []
    earlier: bool = False
    left_out: int = 0
    anchor: str = ""
    known: list[str] = []
    rejected: str = ""
    sent: str = ""
    _retry_key: tuple[Any, ...] | None = None
    _begun: str = ""  # what the page of a new chat, which may still be shown, has begun

    @rx.var
    def is_running(self) -> bool:
        """Whether the agent is at work or waits for an outcome."""
        return self.status in RUNNING

    @rx.var
    def is_empty(self) -> bool:
        """Whether this is the page of a new chat."""
        return not self.open_id

    def _open(self, thread_id: str) -> None:
        """Turn to a thread; what the tab already shows of it stays until the rows are read."""
        if thread_id != self.open_id:
            self._clear(thread_id)
        self.notice, self._begun = "", ""

    def _clear(self, open_id: str) -> None:
        self.reset()
        self.open_id = open_id
        self.phase = "loading" if open_id else "ready"

    # What the subscription asks and brings

    def _opened(self) -> str:
        return self.open_id

    def _reader(self) -> Reader:
        return ThreadReader(self._api(), self.open_id)

    def _show(self, follower: Follower) -> None:
        """Take over what a follower has read; what is unchanged is not sent again."""
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
            known=follower.known(),
            thinking=status == "streaming" and not is_writing(turn),
            resuming=follower.resuming,
            error=clean_text(follower.thread.get("error") or "") if status == "failed" else "",
            error_info=(follower.thread.get("error_info") or {}) if status == "failed" else {},
            error_kind=str(follower.thread.get("error_kind") or "") if status == "failed" else "",
            ended=follower.ended,
            answer_id=follower.answer_id,
            needs_person=needs_person(turn, follower.thread.get("retry_state") or {}),
            **self._rows(history, turn, follower),
        )
        self._show_retry(follower.thread.get("retry_state"))

    def _rows(
        self, history: list[MessageView], turn: list[MessageView], follower: Follower
    ) -> dict[str, Any]:
        """Return the vars that hold the messages before the turn under way, and that turn."""
        raise NotImplementedError

    def _show_retry(self, state: dict[str, Any] | None) -> None:
        key = tuple(state.get(name) for name in ("kind", "attempt", "next_at", "error")) if state else None
        if key == self._retry_key:
            return
        self._retry_key = key
        self.retry = retry_view(state) if state else RetryView()

    def _lose(self, error: AgentCoreError) -> None:
        self._clear(self.open_id)
        self.phase = "missing" if isinstance(error, ThreadNotFoundError | AccessDeniedError) else "trouble"
        self.notice = words_of(error)

    # What the person does

    @rx.event
    async def show_earlier(self):
        """Show another page of earlier messages."""
        if reader := self._followed():
            reader.follower.more()
            await self._show_longer(reader)

    @rx.event
    async def show_left_out(self):
        """Show another page of the messages that are left out after those that a link led to."""
        if reader := self._followed():
            reader.follower.fill()
            await self._show_longer(reader)

    @rx.event
    async def seek(self, message_id: str):
        """Show this message, to which a link leads, with those around it."""
        if reader := self._followed():
            reader.follower.reach(message_id)
            await self._show_longer(reader)

    async def _show_longer(self, reader: Reader) -> None:
        with suppress(AgentCoreError):  # it is gone; the subscription says so
            await reader.read_times()
        self._show(reader.follower)

    @rx.event
    def show_more(self, message_id: str):
        """Show more of a very long prompt."""
        if reader := self._followed():
            reader.follower.more_of(message_id)
            self._show(reader.follower)

    @rx.event
    async def send(self, text: str, message_id: str, files: list[dict[str, Any]]):
        """Send what the person wrote, with its files, to the open thread; without one it begins one.

        `message_id` is the idempotency key: sent twice it is one message, one run, one thread. While
        the agent is at work it waits for its turn. If it cannot be sent, the composer gets it back.
        """
        return await self._send(self.open_id, text, message_id, files)

    @rx.event
    async def send_to(self, text: str, message_id: str, files: list[dict[str, Any]], thread_id: str):
        """Send it to the thread that the page showed, which need not be the one that is open by now.

        Args:
            text, message_id, files: as `send` takes them.
            thread_id: the thread; the one that the message itself begins (`begun_by`): a new one. "" is
                a new one, too, or the one that the page of a new chat has just begun.
        """
        if not thread_id and self.open_id == self._begun:
            thread_id = self._begun
        return await self._send(thread_id, text, message_id, files)

    async def _send(self, thread_id: str, text: str, message_id: str, files: list[dict[str, Any]]) -> Any:
        text = clean_text(text)
        prompt = [{"type": "text", "text": text}] if text.strip() else []
        prompt += [_file_part(part) for part in files[:MAX_FILES]]
        if not prompt:
            return None
        self.notice, self.rejected = "", ""
        try:
            if thread_id and thread_id != begun_by(message_id):
                await self._api().send_message(thread_id, prompt, message_id=message_id, when_busy="queue")
                if thread_id == self.open_id:
                    self.sent = message_id
                return None
            thread = await self._begin_once(prompt, message_id)
        except AgentCoreError as error:
            self.notice, self.rejected = words_of(error), message_id
            return None
        if thread.id == self.open_id:  # sent twice, and begun by the first
            self.sent = message_id
            return None
        self._clear(thread.id)
        self.sent, self._begun = message_id, thread.id
        return self._turn_to(thread.id)

    def _turn_to(self, thread_id: str) -> Any:
        """Return the event that shows a thread which was begun here."""
        return rx.redirect(f"/chat/{thread_id}")

    async def _begin_once(self, prompt: list[dict[str, Any]], message_id: str) -> Thread:
        """Begin a thread with a message, or return the one that it began when it was sent before."""
        thread_id = begun_by(message_id)
        if thread_id is not None and (thread := await self._api().get_thread(thread_id)) is not None:
            return thread
        return await self._begin(prompt, message_id, thread_id=thread_id)

    async def _begin(self, prompt: list[dict[str, Any]], message_id: str, **named: Any) -> Thread:
        return await self._api().create_thread(prompt, message_id=message_id, **named)

    @rx.event
    async def stop(self):
        """Stop the agent; what it has written stays."""
        await self._do("stop_thread")

    @rx.event
    async def resume(self):
        """Run the interrupted step again: Retry after a failure, Continue after a stop."""
        await self._do("resume_thread")

    @rx.event
    async def go_on(self, words: str):
        """Have an answer that was cut short continued: `words` ask for it, as a message of the person's."""
        if self.ended and (text := clean_text(words).strip()):
            await self._do("resume_thread", text)

    @rx.event
    async def approve(self, call_id: str, edited: dict[str, Any] | None = None):
        """Let a tool run, with exactly the arguments shown or with those that a person put in their place."""
        await self._do("approve_tool_calls", [call_id], args=None if edited is None else {call_id: edited})

    @rx.event
    async def deny(self, call_id: str, reason: str = ""):
        """Deny a tool call, with a reason."""
        await self._do("deny_tool_calls", [call_id], clean_text(reason).strip() or None)

    @rx.event
    async def answer(self, form: dict[str, Any]):
        """Give a person's answer as the outcome of the tool call that waits for it."""
        words = clean_text(str(form.get("answer") or "")).strip()
        if words:
            await self._call("add_tool_result", str(form.get("call_id")), words, thread_id=self.open_id)

    async def _do(self, method: str, *args: Any, **options: Any) -> Any:
        """Call a method of the API with the open thread, as `_call` does; without one nothing is done."""
        return await self._call(method, self.open_id, *args, **options) if self.open_id else None

    @rx.event
    def dismiss(self):
        """Put the notice away."""
        self.notice = ""


def begun_by(message_id: str) -> str | None:
    """Return the id of the thread that a page's message begins: one message, one thread. None: any."""
    made = re.fullmatch(r"msg_([0-9A-HJKMNP-TV-Z]{26})", message_id)
    return f"thread_{made[1]}" if made else None


def _file_part(part: dict[str, Any]) -> dict[str, Any]:
    """Return a file's part as our server gave it to the page; anything that a page adds is left out."""
    return {"type": "file"} | {
        key: part.get(key) for key in ("mediaType", "url", "filename") if part.get(key)
    }
