"""Withdraw queued messages, or begin their turn at once."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase
from agent_core.domain.messages import Message
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import queued_messages, thread_row
from agent_core.store.turns import turns


class QueuedMethods(ApiBase):
    """The methods that change the queue of a thread; `send_message(when_busy="queue")` fills it."""

    async def withdraw_message(
        self, thread_id: str, message_id: str, *, ctx: CallContext | None = None
    ) -> Message:
        """Delete a queued message, as if it had never been sent, and return it.

        The thread keeps its files, so that its parts can be sent again.

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
