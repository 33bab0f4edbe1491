"""Lists that each user has, read once for all of the user's tabs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar, cast

from agent_core import AgentApi, CallContext
from agent_core.agent import NOBODY

NO_ONE = CallContext(NOBODY)
"""Caller who is not signed in and owns no thread."""

MAX_UNWATCHED = 32
"""Number of users above which the lists of those without an open tab are dropped."""

READ_INTERVAL = 0.25
"""Minimum seconds between two reads of a list: a running thread changes ten times a second."""


class UserList:
    """Base of the lists: one task reads a list and notifies every tab of the user when it has changed.

    Args:
        api: API bound to the user.

    Attributes:
        version: number of changes of the list; 0 before it is read.
    """

    def __init__(self, api: AgentApi) -> None:
        self.version = 0
        self._api = api
        self._viewers: list[Any] = []  # a viewer that watches twice is in it twice
        self._changed = asyncio.Event()

    @property
    def is_watched(self) -> bool:
        """Return whether a tab shows the list."""
        return bool(self._viewers)

    @contextmanager
    def watched(self, viewer: object = None) -> Iterator[None]:
        """Count a viewer, such as the window of a tab, while the context is open."""
        self._viewers.append(viewer)
        try:
            yield
        finally:
            self._viewers.remove(viewer)

    async def after(self, version: int) -> int:
        """Wait until the list is newer than `version`; return its version."""
        while self.version <= version:
            await self._changed.wait()
        return self.version

    async def follow(self) -> None:
        """Keep the list up to date until cancelled."""
        raise NotImplementedError

    def _publish(self, **values: Any) -> None:
        """Set attributes of the list, and notify the tabs if one of the values is new."""
        if self.version and all(getattr(self, name) == value for name, value in values.items()):
            return
        vars(self).update(values)
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


_ListT = TypeVar("_ListT", bound=UserList)


class ListKind(Generic[_ListT]):
    """Kind of list that each user has, declared once per process; the key of a user's list in `UserLists`.

    Args:
        make: function from the API bound to a user, and whether all callers share the list, to the list.
    """

    declared: ClassVar[list[ListKind[Any]]] = []

    def __init__(self, make: Callable[[AgentApi, bool], _ListT]) -> None:
        self.make = make
        self.declared.append(self)


class UserLists:
    """Lists of one user, each created on first use and followed from then on.

    Args:
        api: API bound to the user.
        shared: whether all callers share the lists, because the app has no users.
    """

    def __init__(self, api: AgentApi, *, shared: bool = False) -> None:
        self._api = api
        self._shared = shared
        self._lists: dict[ListKind[Any], UserList] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def __getitem__(self, kind: ListKind[_ListT]) -> _ListT:
        """Return this user's list of a kind."""
        if kind not in self._lists:
            made = self._lists[kind] = kind.make(self._api, self._shared)
            self._tasks.append(asyncio.create_task(made.follow()))
        return cast(_ListT, self._lists[kind])

    @property
    def is_watched(self) -> bool:
        """Return whether a tab shows one of the lists."""
        return any(each.is_watched for each in self._lists.values())

    def start(self) -> None:
        """Create the list of every kind, so that all are already read when the first tab opens."""
        for kind in ListKind.declared:
            self[kind]

    def cancel(self) -> None:
        """Stop following the lists."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop following the lists, and wait until their tasks have ended."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class UserListCache:
    """Cache of the lists of each user, created on first use and dropped some time after the user has left."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, UserLists] = OrderedDict()

    def lists_of(self, user_id: str, api: AgentApi) -> UserLists:
        """Return the lists of a user, who calls through `api`."""
        if user_id not in self._users:
            self._users[user_id] = UserLists(api)
        self._users.move_to_end(user_id)
        self._evict()
        return self._users[user_id]

    def _evict(self) -> None:
        """Drop the least recently used lists that no tab shows if there are too many, never the newest."""
        unwatched = [user_id for user_id, lists in self._users.items() if not lists.is_watched]
        for user_id in unwatched[:-1][: max(0, len(self._users) - MAX_UNWATCHED)]:
            self._users.pop(user_id).cancel()

    async def close(self) -> None:
        """Close the lists of every user."""
        users = list(self._users.values())
        self._users.clear()
        for lists in users:
            await lists.close()
