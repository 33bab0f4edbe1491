"""Turns: begun, resumed, stopped."""

from __future__ import annotations

from typing import Any

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, Prompt, checked_id, new_message
from agent_core.errors import ValidationError
from agent_core.faults import crash_point
from agent_core.gate import prompt_parts
from agent_core.ids import new_id
from agent_core.messages import Message, Thread
from agent_core.store import turns
from agent_core.store.messages import NewMessage
from agent_core.store.turns import WhenBusy


class TurnMethods(ApiBase):
    """The methods that make a thread run, or end it."""

    async def send_message(
        self,
        thread_id: str,
        prompt: Prompt,
        *,
        message_id: str | None = None,
        when_busy: WhenBusy = "reject",
        ctx: CallContext | None = None,
    ) -> Message:
        """Store a person's message and run the thread.

        Args:
            thread_id: the thread.
            prompt: a str or a list of parts.
            message_id: the idempotency key: sent twice, it is one message and one run.
            when_busy: while the thread is running, "reject", "queue" (answered when the turn ends)
                or "interrupt" (stop, then send).
            ctx: who calls.

        Raises:
            ValidationError: the prompt is blank, too long or not made of acceptable parts.
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: the thread is running and `when_busy` is "reject".
        """
        await self._authorize(ctx, thread_id)
        if when_busy not in ("reject", "queue", "interrupt"):
            raise ValidationError('when_busy must be "reject", "queue" or "interrupt".')
        new = NewMessage(checked_id(message_id, "msg"), "user", prompt_parts(prompt), {})
        if when_busy == "interrupt":
            await self.runtime.write_down(thread_id)
        stored = await self.runtime.writer.run_for(thread_id, turns.send, thread_id, new, when_busy)
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
        new = new_message(message)
        stored = await self.runtime.writer.run(turns.add, thread_id, new)
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
        new = None if prompt is None else NewMessage(new_id("msg"), "user", prompt_parts(prompt), {})
        await self.runtime.writer.run(turns.resume, thread_id, new)
        return await self._thread(thread_id)

    async def stop_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread:
        """Stop a thread at once; its partial text is kept. An idle thread stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.runtime.write_down(thread_id)
        await self.runtime.writer.run(turns.stop, thread_id)
        return await self._thread(thread_id)
