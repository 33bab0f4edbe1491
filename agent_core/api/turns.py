"""Begin, resume and stop turns, and change the queue of messages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, Prompt, known_id
from agent_core.domain.messages import Message, Thread
from agent_core.domain.turn_options import TurnOptions
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import queued_messages, thread_row
from agent_core.store.turns import branches, turns
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.faults import crash_point


class TurnMethods(ApiBase):
    """Methods that run a thread, stop it or change its queue."""

    async def send_message(
        self,
        thread_id: str,
        prompt: Prompt,
        *,
        message_id: str | None = None,
        when_busy: WhenBusy = "reject",
        after: str | None = None,
        metadata: dict[str, Any] | None = None,
        options: TurnOptions | None = None,
        ctx: CallContext | None = None,
    ) -> Message:
        """Store a user's message and run the thread.

        Args:
            prompt: a str or a list of parts.
            message_id: the idempotency key: sent twice, it is one message and one run. An id is unique
                among all threads, except that forks copy it.
            when_busy: effect on a turn in progress: "reject", "queue" (the message is answered when the turn
                ends), "interrupt" (stop the turn, then send) or "end_wait" (stop the turn if it waits only for
                people, for an approval or the outcome of an async tool; else reject).
            after: the id of the message that the new one follows, in any branch; shown messages behind it are put
                aside. "": the new message is the first. None: it follows the last one.
            metadata: plain JSON for the application.
            options: what the caller asks for in this turn beyond the agent; a queued message loses them.

        Raises:
            ValidationError: the prompt is blank, too long or has invalid parts.
            ThreadNotFoundError: there is no such thread.
            MessageNotFoundError: there is no message `after`.
            ThreadBusyError: the thread is running, and its turn continues.
            DuplicateMessageError: `message_id` is the id of a message of another thread, or of a reply.
        """
        await self._authorize(ctx, thread_id)
        await self._prepare_send(thread_id, when_busy, after is None)
        new = await self._prompt(ctx, prompt, message_id, metadata)
        if options is not None:
            new = replace(new, options=options.as_json())
        run = self.store.writer.run
        if after is not None:
            stored = await run(branches.send_after, thread_id, after and known_id(after), new, when_busy)
        elif message_id is not None:  # a given id is looked up in all threads
            stored = await run(turns.send, thread_id, new, when_busy)
        else:
            stored = await self.store.writer.run_for(thread_id, turns.send, thread_id, new, when_busy)
        crash_point("send.after")
        if stored is None or when_busy == "queue":  # only the row tells whether it is queued
            return await self._stored(thread_id, new.id)
        return new.stored(thread_id, stored)

    async def add_message(
        self, thread_id: str, message: dict[str, Any], *, ctx: CallContext | None = None
    ) -> Message:
        """Store a message without running the thread.

        Args:
            message: a dict with role, parts (or content), and optionally id and metadata.

        Raises:
            ValidationError, ThreadNotFoundError, ThreadBusyError, DuplicateMessageError
        """
        await self._authorize(ctx, thread_id)
        new = await self._message(ctx, message)
        return new.stored(thread_id, await self.store.writer.run(turns.add, thread_id, new))

    async def resume_thread(
        self, thread_id: str, prompt: Prompt | None = None, *, ctx: CallContext | None = None
    ) -> Thread:
        """Run the interrupted step of a failed or stopped thread again.

        Without a prompt, the first new token replaces the step's partial text; with a prompt, the partial text
        becomes history and the prompt follows it. A thread that ends with a complete reply is not changed.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: the thread is running.
            ValidationError: the prompt is invalid.
        """
        await self._authorize(ctx, thread_id)
        new = None if prompt is None else await self._prompt(ctx, prompt)
        await self.store.writer.run(turns.resume, thread_id, new)
        return await self._thread(thread_id)

    async def stop_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread:
        """Stop a thread at once and keep its partial text. An idle thread is not changed.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.store.before_stop(thread_id)
        await self.store.writer.run(turns.stop, thread_id)
        return await self._thread(thread_id)

    async def withdraw_message(
        self, thread_id: str, message_id: str, *, ctx: CallContext | None = None
    ) -> Message:
        """Delete a queued message and return it.

        The thread keeps the message's files, so that its parts can be sent again.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: the message is not queued; nothing was changed.
        """
        await self._authorize(ctx, thread_id)
        queued = await self.store.writer.run_for(thread_id, _withdraw, thread_id, message_id)
        return queued.message.stored(thread_id, queued.created_at)

    async def send_now(self, thread_id: str, message_id: str, *, ctx: CallContext | None = None) -> Message:
        """Stop the turn in progress and begin that of a queued message; the other messages stay queued.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: the message is not queued; nothing was stopped.
        """
        await self._authorize(ctx, thread_id)
        await self.store.before_stop(thread_id)
        queued = await self.store.writer.run_for(thread_id, turns.send_now, thread_id, message_id)
        return queued.message.stored(thread_id, queued.created_at)


def _withdraw(tx: Tx, thread_id: str, message_id: str) -> queued_messages.QueuedMessage:
    thread_row.lock(tx, thread_id)
    return queued_messages.withdraw(tx, thread_id, message_id)
