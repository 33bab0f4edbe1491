"""What a process remembers of threads: so much and so long, then the rows are read again.

It is all copies, so any of it may be forgotten at any time: what was kept first goes when all of it
together is too large, and what nobody came back to goes with time. Other processes do not tell of the
threads that they delete, so without the second a process would fill itself with what is gone.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, cast

V = TypeVar("V")
_MAX_BYTES = 32 << 20  # bytes of everything that is remembered together; the newest alone may be larger
_MAX_AGE = 300.0  # seconds; who comes back later waits some milliseconds for the rows
_BYTES_EACH = 256  # bytes of a dict, or of a list, besides what it holds


class Memory(Generic[V]):
    """Values by thread, the ones kept first in front.

    Args:
        now: seconds that only grow.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._kept: OrderedDict[str, tuple[V, int, float]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        """Return of how many threads something is remembered."""
        return len(self._kept)

    def keep(self, thread_id: str, value: V, size: int) -> None:
        """Remember `value`, which takes about `size` bytes, in place of what was known of the thread."""
        self.take(thread_id)
        now = self._now()
        self._kept[thread_id] = value, size, now
        self._size += size
        while len(self._kept) > 1:
            oldest, (_, _, since) = next(iter(self._kept.items()))
            if self._size <= _MAX_BYTES and now - since < _MAX_AGE:
                break
            self.take(oldest)

    def get(self, thread_id: str) -> V | None:
        """Return what is remembered of a thread."""
        kept = self._kept.get(thread_id)
        return None if kept is None else kept[0]

    def take(self, thread_id: str) -> V | None:
        """Return what is remembered of a thread, and forget it."""
        kept = self._kept.pop(thread_id, None)
        if kept is None:
            return None
        self._size -= kept[1]
        return kept[0]

    def grow(self, thread_id: str, size: int) -> None:
        """Note that what is remembered of a thread has become so many bytes larger."""
        if (kept := self._kept.get(thread_id)) is not None:
            self._kept[thread_id] = kept[0], kept[1] + size, kept[2]
            self._size += size


def size_of(value: object) -> int:
    """Return about how many bytes plain JSON takes in memory."""
    if isinstance(value, dict):
        return _BYTES_EACH + sum([size_of(item) for item in cast("dict[str, object]", value).values()])
    if isinstance(value, list):
        return _BYTES_EACH + sum([size_of(item) for item in cast("list[object]", value)])
    return len(value) if isinstance(value, str) else 0


def size_of_messages(messages: Iterable[dict[str, Any]]) -> int:
    """Return the same for messages in the provider's form; a long thread's are weighed at each turn."""
    size = 0
    for message in messages:
        content = message.get("content")
        size += _BYTES_EACH + (len(content) if isinstance(content, str) else size_of(content))
        if "tool_calls" in message:
            size += size_of(message["tool_calls"])
    return size
