"""Turns: begun, resumed, stopped."""

from __future__ import annotations

from typing import Any

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, Prompt, known_id
from agent_core.domain.messages import Message, Thread
from agent_core.store.turns import branches, turns
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.faults import crash_point


class TurnMethods(ApiBase):
    """The methods that make a thread run, or end it."""

    async def send_message(
        self,
        thread_id: str,
        prompt: Prompt,
        *,
        message_id: str | None = None,
        when_busy: WhenBusy = "reject",
        after: str | None = None,
        metadata: dict[str, Any] | None = None,
        ctx: CallContext | None = None,
    ) -> Message:
        """Store a person's message and run the thread.

        Args:
            thread_id: the thread.
            prompt: a str or a list of parts.
            message_id: the idempotency key: sent twice, it is one message and one run. An id is one
                message in all threads (forks copy it).
            when_busy: while the thread is running, "reject", "queue" (answered when the turn ends),
                "interrupt" (stop, then send) or "end_wait" (stop if it waits for nobody but people:
                for a yes, or for the outcome of an async tool; else as "reject").
            after: the message that it follows, of any branch; what is shown behind that is put aside.
                "": it becomes the first one. None: it follows the last one.
            metadata: plain JSON of the application's own.
            ctx: who calls.

        Raises:
            ValidationError: the prompt is blank, too long or not made of acceptable parts.
            ThreadNotFoundError: there is no such thread.
            MessageNotFoundError: there is no message `after`.
            ThreadBusyError: the thread is running and goes on.
            DuplicateMessageError: `message_id` is a message of another thread, or an answer.
        """
        await self._authorize(ctx, thread_id)
        await self._ready(thread_id, when_busy, after is None)
        new = await self._prompt(ctx, prompt, message_id, metadata)
        if after is None and message_id is None:
            stored = await self.store.writer.run_for(thread_id, turns.send, thread_id, new, when_busy)
        elif after is None:  # an id that was given is looked for in all threads
            stored = await self.store.writer.run(turns.send, thread_id, new, when_busy)
        else:
            stored = await self.store.writer.run(
                branches.send_after, thread_id, after and known_id(after), new, when_busy
            )
        crash_point("send.after")
        if when_busy == "queue":
            stored = None  # whether it waits or runs, the row says
        return await self._stored(thread_id, new, stored)

    async def add_message(
        self, thread_id: str, message: dict[str, Any], *, ctx: CallContext | None = None
    ) -> Message:
        """Store a message without running the thread.

        Args:
            thread_id: the thread.
            message: a dict with role, parts (or content), and perhaps id and metadata.
            ctx: who calls.

        Raises:
            ValidationError, ThreadNotFoundError, ThreadBusyError, DuplicateMessageError
        """
        await self._authorize(ctx, thread_id)
        new = await self._message(ctx, message)
        stored = await self.store.writer.run(turns.add, thread_id, new)
        return await self._stored(thread_id, new, stored)

    async def resume_thread(
        self, thread_id: str, prompt: Prompt | None = None, *, ctx: CallContext | None = None
    ) -> Thread:
        """Run the interrupted step of a failed or stopped thread again.

        Without a prompt its partial text is replaced at the first new token; with one the partial
        text stays as history and the prompt follows it. A thread that ends with a finished reply
        stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: it is running.
            ValidationError: the prompt is not acceptable.
        """
        await self._authorize(ctx, thread_id)
        new = None if prompt is None else await self._prompt(ctx, prompt, None)
        await self.store.writer.run(turns.resume, thread_id, new)
        return await self._thread(thread_id)

    async def stop_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread:
        """Stop a thread at once; its partial text is kept. An idle thread stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.store.before_stop(thread_id)
        await self.store.writer.run(turns.stop, thread_id)
        return await self._thread(thread_id)
