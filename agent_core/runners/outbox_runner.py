"""Deliver the events of a thread, one after the other, until none is left or one has to wait."""

from __future__ import annotations

import asyncio
from typing import Any

from agent_core.domain.events.outbox_events import EventType, OutboxEvent
from agent_core.domain.validation import clean_words
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.errors import ValidationError, as_exception
from agent_core.outbox import Outbox
from agent_core.store.database.sql import dump
from agent_core.store.outbox import events
from agent_core.store.outbox.events import Delivery
from agent_core.store.store import Store
from agent_core.support.clock import as_datetime
from agent_core.support.faults import crash_point
from agent_core.support.logs import get_logger

_MAX_MESSAGE = 262_144  # characters of JSON; a receiver gets only the id of a longer message
_log = get_logger(__name__)


class OutboxRunner:
    """Delivers events to the handler of an outbox."""

    def __init__(self, store: Store, outbox: Outbox) -> None:
        self._writer = store.writer
        self._reads = store.reads
        self._worker = store.process
        self._outbox = outbox

    async def deliver(self, key: WakeUpKey) -> None:
        """Deliver the events of a thread whose wake-up this worker has leased."""
        most = self._outbox.retry.max_attempts
        delivery = await self._writer.run_for(key.thread_id, events.claim, key.thread_id, self._worker, most)
        while delivery is not None:
            delivery = await self._deliver(delivery)

    async def _deliver(self, delivery: Delivery) -> Delivery | None:
        """Deliver an event; return the next one."""
        event = await self._event(delivery)
        crash_point("outbox.claimed")
        try:
            await self._outbox.deliver(event)
        except BaseException as error:
            return await self._failed(delivery, as_exception(error, "The handler of the outbox"))
        crash_point("outbox.received")
        place = delivery, self._worker, self._outbox.retry.max_attempts
        return await self._writer.run_for(delivery.thread_id, events.delivered, *place)

    async def _failed(self, delivery: Delivery, error: Exception) -> Delivery | None:
        try:
            delay = await self._outbox.retry.decide(delivery.attempts, error)
        except ValidationError as invalid:  # from the application's `classify`
            delay, error = None, invalid
        words = clean_words(error)
        outcome = "it is a dead letter now" if delay is None else f"retry in {delay:.0f} s"
        _log.warning(
            *("Event %s (%s) of thread %s: attempt %d failed, %s: %s", delivery.key, delivery.type),
            *(delivery.thread_id, delivery.attempts, outcome, words),
        )
        place = delivery, self._worker, self._outbox.retry.max_attempts
        return await self._writer.run_for(delivery.thread_id, events.failed, *place, words, delay)

    async def _event(self, delivery: Delivery) -> OutboxEvent:
        data = delivery.data
        if delivery.type == EventType.TURN_COMPLETED:
            data |= await self._turn(delivery.thread_id, data["message_id"])
        return OutboxEvent(
            id=delivery.key,
            type=delivery.type,
            created_at=as_datetime(delivery.created_at),
            thread_id=delivery.thread_id,
            agent=delivery.agent,
            user_id=delivery.user_id,
            data=data,
            attempt=delivery.attempts,
        )

    async def _turn(self, thread_id: str, message_id: str) -> dict[str, Any]:
        """Return the message and the usage of a turn.

        They are read now, because a copy of the message would outlive the deletion of its thread.
        """
        message = await asyncio.to_thread(self._reads.message, thread_id, message_id)
        if message is None:
            return {"message": None, "message_omitted": "deleted", "usage": None}
        found = message.to_dict()
        if len(dump(found)) > _MAX_MESSAGE:
            return {"message": None, "message_omitted": "too_long", "usage": message.usage}
        return {"message": found, "usage": message.usage}
