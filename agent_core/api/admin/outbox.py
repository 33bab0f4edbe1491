"""Report on the outbox, and redeliver or discard its dead letters."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.admin.base import AdminMethods
from agent_core.api.base import storable
from agent_core.domain.events.outbox_events import DeadLetter, OutboxStatus
from agent_core.errors import DeadLetterNotFoundError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.outbox import dead_letters
from agent_core.support.clock import as_datetime

_MAX_LETTERS = 1_000


class OutboxMethods(AdminMethods):
    """`api.outbox`: methods for the events of all threads that are to be delivered, and those that were given up."""

    DENIED = "outbox_forbidden"

    async def status(self, *, ctx: CallContext | None = None) -> OutboxStatus:
        """Return which events are written, and how many wait or are dead letters."""
        await self._check(ctx)
        counts = await self.store.read(dead_letters.counts)
        oldest_at = None if counts.oldest_at is None else as_datetime(counts.oldest_at)
        return OutboxStatus(tuple(sorted(self.store.outbox.types)), counts.pending, oldest_at, counts.dead)

    async def dead_letters(
        self, limit: int = 100, *, before: str | None = None, ctx: CallContext | None = None
    ) -> list[DeadLetter]:
        """Return dead letters, newest event first. They are kept for 30 days.

        Args:
            limit: maximum number of dead letters, from 1 to 1,000.
            before: id of a dead letter; only older ones are returned.

        Raises:
            ValidationError: the limit is out of its range.
        """
        await self._check(ctx)
        if not 0 < limit <= _MAX_LETTERS:
            raise ValidationError(f"limit is a number from 1 to {_MAX_LETTERS:,}.")
        if before is not None and not storable(before):
            return []
        return await self.store.read(dead_letters.dead_letters, limit, before)

    async def redeliver(self, event_id: str, *, ctx: CallContext | None = None) -> None:
        """Let a dead letter wait for its delivery again, with all attempts, before the later events of its thread.

        Raises:
            DeadLetterNotFoundError: there is no such dead letter.
        """
        await self._check(ctx)
        if not storable(event_id) or not await self.store.writer.run(dead_letters.redeliver, event_id):
            raise _missing(event_id)

    async def redeliver_all(self, *, ctx: CallContext | None = None) -> int:
        """Redeliver the oldest dead letters, at most a thousand; return how many there were.

        Call it again until it returns 0.
        """
        await self._check(ctx)
        return await self.store.writer.run(dead_letters.redeliver_oldest)

    async def discard(self, event_id: str, *, ctx: CallContext | None = None) -> None:
        """Delete a dead letter.

        Raises:
            DeadLetterNotFoundError: there is no such dead letter.
        """
        await self._check(ctx)
        if not storable(event_id) or not await self.store.writer.run(dead_letters.discard, event_id):
            raise _missing(event_id)

    async def switch_off(self, *, ctx: CallContext | None = None) -> None:
        """Write no more events, in any process, until a runtime with an outbox is opened; written ones are delivered."""
        await self._check(ctx)
        await self.store.outbox.switch_off()


def _missing(event_id: str) -> DeadLetterNotFoundError:
    return DeadLetterNotFoundError(sentence("dead_letter_not_found", event=event_id))
