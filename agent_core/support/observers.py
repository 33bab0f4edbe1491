"""Pass events to those who observe them; an exception in one is logged and has no other effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from agent_core.support.logs import get_logger

EventT = TypeVar("EventT")
_log = get_logger(__name__)


class Observers(Generic[EventT]):
    """The functions that observe events of one kind; they are called in the thread that publishes."""

    def __init__(self) -> None:
        self._observers: list[Callable[[EventT], None]] = []

    def add(self, observer: Callable[[EventT], None]) -> None:
        """Call `observer` with each event from now on; it must not block."""
        self._observers.append(observer)

    def remove(self, observer: Callable[[EventT], None]) -> None:
        """Call `observer` no more."""
        self._observers.remove(observer)

    def __bool__(self) -> bool:
        """Whether anybody observes; if nobody does, an event need not be built."""
        return bool(self._observers)

    def publish(self, event: EventT) -> None:
        """Call the observers with an event."""
        for observer in tuple(self._observers):
            try:
                observer(event)
            except Exception:
                _log.exception("The observer %r failed; nothing else is affected.", observer)
