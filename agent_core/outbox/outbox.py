"""Define the outbox of a runtime: who receives its events, and how often a delivery is attempted."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from agent_core.domain.events.outbox_events import EVENT_TYPES, OutboxEvent
from agent_core.errors import DeliveryError, ValidationError
from agent_core.sentences import sentence
from agent_core.support.argument_checks import check_arguments, known_options
from agent_core.support.retry import RetryPolicy

Handler = Callable[[OutboxEvent], Any]
"""A function, sync or async, that returns when it has received an event, and raises if it has not."""

_RETRY = RetryPolicy(max_attempts=12, initial_delay=5.0, multiplier=4.0, max_delay=6 * 3600.0)
"""Twelve attempts in a day and a half."""


@known_options
class Outbox:
    """Delivers events at least once, and those of a thread in order; pass it to `Runtime(outbox=…)`.

    While an event waits for its next attempt, later events of its thread wait, too. An event that is given up becomes a
    dead letter (`api.outbox`), and the later ones go on.

    Args:
        handler: receives the events: a `Webhook`, or a function of an `OutboxEvent`, sync or async; a sync one runs in
            a thread. It may get an event twice, with the same `id`. An exception is a failed attempt;
            `DeliveryError` says whether and when to retry.
        events: types of the events that the processes of the database write, from `EVENT_TYPES`; None: all.
        retry: policy of the attempts; by default twelve in a day and a half.
        timeout: seconds that an attempt may take. A sync function is not interrupted then.

    Raises:
        ValidationError: an argument is invalid.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        events: Sequence[str] | None = None,
        retry: RetryPolicy | None = None,
        timeout: float = 30.0,
    ) -> None:
        given = {"handler": handler, "events": events, "retry": retry, "timeout": timeout}
        check_arguments(Outbox.__init__, (), given, who="Outbox")
        self.events = EVENT_TYPES if events is None else frozenset(map(str, events))
        if not self.events or self.events - EVENT_TYPES:
            raise ValidationError(f"events of Outbox must be some of: {', '.join(sorted(EVENT_TYPES))}.")
        if not 0 < timeout < float("inf"):
            raise ValidationError("timeout of Outbox must be a number of seconds above 0.")
        self.retry = retry or _RETRY
        self._timeout = timeout
        self._handler = handler
        call = getattr(handler, "__call__", None)  # noqa: B004  # of an object whose class defines it
        self._is_async = inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(call)

    async def deliver(self, event: OutboxEvent) -> None:
        """Call the handler with an event.

        Raises:
            DeliveryError: the handler took too long.
            BaseException: the handler failed.
        """
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                handler = self._handler
                result = handler(event) if self._is_async else await asyncio.to_thread(handler, event)
                if inspect.isawaitable(result):
                    await result
        except TimeoutError:
            if not limit.expired():
                raise
            raise DeliveryError(sentence("delivery_timed_out", seconds=f"{self._timeout:g}")) from None
