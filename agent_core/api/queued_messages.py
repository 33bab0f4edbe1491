"""What can be done with a message that waits for the turn before it to end."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase
from agent_core.domain.messages import Message
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import queued_messages, threads
from agent_core.store.threads.messages import NewMessage
from agent_core.store.turns import turns


class QueuedMethods(ApiBase):
    """The methods that change the queue of a thread; `send_message(when_busy="queue")` fills it."""

    async def withdraw_message(
        self, thread_id: str, message_id: str, *, ctx: CallContext | None = None
    ) -> Message:
        """Take a queued message back, as if it had never been sent; return it.

        Its files stay in the thread, so that its parts can be sent again.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: the message does not wait (any more); nothing was done.
        """
        await self._authorize(ctx, thread_id)
        message, created_at = await self.store.writer.run_for(thread_id, _withdraw, thread_id, message_id)
        return message.stored(thread_id, created_at)

    async def send_now(self, thread_id: str, message_id: str, *, ctx: CallContext | None = None) -> Message:
        """Stop whatever runs and begin the turn of a queued message at once; the others go on waiting.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: the message does not wait (any more); nothing was stopped.
        """
        await self._authorize(ctx, thread_id)
        await self.store.before_stop(thread_id)
        message, created_at = await self.store.writer.run_for(
            thread_id, turns.send_now, thread_id, message_id
        )
        return message.stored(thread_id, created_at)


def _withdraw(tx: Tx, thread_id: str, message_id: str) -> tuple[NewMessage, float]:
    threads.lock(tx, thread_id)
    return queued_messages.withdraw(tx, thread_id, message_id)
