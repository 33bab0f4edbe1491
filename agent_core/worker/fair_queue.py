"""Queue work fairly: from each person in turn, and of one person from each thread in turn."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_Threads = OrderedDict[str, deque[T]]


class FairQueue(Generic[T]):
    """Items of threads, of people; of one thread the oldest is first."""

    def __init__(self) -> None:
        self._people: OrderedDict[str, _Threads[T]] = OrderedDict()
        self._person_of: dict[str, str] = {}  # by thread
        self._length = 0

    def __len__(self) -> int:
        """Return the number of items."""
        return self._length

    def __iter__(self) -> Iterator[T]:
        """Iterate over the items of a copy, so that another thread may do so, too."""
        for threads in list(self._people.values()):
            for items in list(threads.values()):
                yield from list(items)

    def put(self, person: str, thread_id: str, item: T) -> None:
        """Append an item; those of one thread belong to the person of its first."""
        person = self._person_of.setdefault(thread_id, person)
        self._people.setdefault(person, OrderedDict()).setdefault(thread_id, deque()).append(item)
        self._length += 1

    def pop(self) -> T:
        """Remove and return the next item.

        Raises:
            IndexError: the queue is empty.
        """
        if not self._people:
            raise IndexError("The queue is empty.")
        person, threads = next(iter(self._people.items()))
        thread_id, items = next(iter(threads.items()))
        item = items.popleft()
        self._length -= 1
        threads.move_to_end(thread_id)
        self._people.move_to_end(person)
        if not items:
            self._drop(thread_id)
        return item

    def remove(self, thread_id: str) -> list[T]:
        """Remove and return the items of a thread."""
        if thread_id not in self._person_of:
            return []
        items = list(self._drop(thread_id))
        self._length -= len(items)
        return items

    def clear(self) -> None:
        """Remove every item."""
        self._people.clear()
        self._person_of.clear()
        self._length = 0

    def _drop(self, thread_id: str) -> deque[T]:
        person = self._person_of.pop(thread_id)
        items = self._people[person].pop(thread_id)
        if not self._people[person]:
            del self._people[person]
        return items
