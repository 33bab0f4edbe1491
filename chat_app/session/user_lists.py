"""The lists that each user has, read once for all of their tabs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Generic, TypeVar, cast

from agent_core import AgentApi, CallContext
from agent_core.agent import NOBODY

NO_ONE = CallContext(NOBODY)
"""Whoever is not signed in; no thread is theirs."""

MAX_UNWATCHED = 32
"""How many users' lists are kept although none of their tabs is open any more."""

READ_INTERVAL = 0.25
"""The least time between two readings of a list, in seconds: a running thread changes ten times a second."""


class UserList:
    """Base of the lists: one task reads a list, and every tab of the user is told that it has changed.

    Args:
        api: as the user calls it.

    Attributes:
        version: how often the list has changed; 0 before it was read.
    """

    def __init__(self, api: AgentApi) -> None:
        self.version = 0
        self._api = api
        self._viewers: list[Any] = []  # one that watches twice is in it twice
        self._changed = asyncio.Event()

    @property
    def is_watched(self) -> bool:
        """Whether a tab shows the list."""
        return bool(self._viewers)

    @contextmanager
    def watched(self, viewer: object = None) -> Iterator[None]:
        """Count a viewer, such as the window of a tab, for as long as this is open."""
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
        """Set attributes of the list; if one of them changed, tell the tabs."""
        if self.version and all(getattr(self, name) == value for name, value in values.items()):
            return
        vars(self).update(values)
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


_ListT = TypeVar("_ListT", bound=UserList)


class ListKind(Generic[_ListT]):
    """A kind of list that each user has, declared once per process; `UserLists` has a user's own under it.

    Args:
        make: from the API as a user calls it, and whether the list is everybody's, to their list.
    """

    declared: ClassVar[list[ListKind[Any]]] = []

    def __init__(self, make: Callable[[AgentApi, bool], _ListT]) -> None:
        self.make = make
        self.declared.append(self)


class UserLists:
    """The lists of one user, each made when it is first asked for and followed from then on.

    Args:
        api: as the user calls it.
        everybody: whether they are the lists of an app that has no users.
    """

    def __init__(self, api: AgentApi, *, everybody: bool = False) -> None:
        self._api = api
        self._everybody = everybody
        self._lists: dict[ListKind[Any], UserList] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def __getitem__(self, kind: ListKind[_ListT]) -> _ListT:
        """Return this user's list of a kind."""
        if kind not in self._lists:
            made = self._lists[kind] = kind.make(self._api, self._everybody)
            self._tasks.append(asyncio.create_task(made.follow()))
        return cast(_ListT, self._lists[kind])

    @property
    def is_watched(self) -> bool:
        """Whether a tab shows one of them."""
        return any(each.is_watched for each in self._lists.values())

    def begin(self) -> None:
        """Make the lists of every kind, so that the first tab finds them read."""
        for kind in ListKind.declared:
            self[kind]

    def cancel(self) -> None:
        """Stop following the lists."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Stop following the lists, and wait until that has ended."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class UserListCache:
    """The lists of every user, made when a user comes and forgotten some time after they left."""

    def __init__(self) -> None:
        self._users: OrderedDict[str, UserLists] = OrderedDict()

    def lists_of(self, user_id: str, api: AgentApi) -> UserLists:
        """Return the lists of a user, who calls through `api`."""
        if user_id not in self._users:
            self._users[user_id] = UserLists(api)
        self._users.move_to_end(user_id)
        self._forget()
        return self._users[user_id]

    def _forget(self) -> None:
        """End the oldest lists that nobody watches, if there are too many; never the newest."""
        unwatched = [user_id for user_id, lists in self._users.items() if not lists.is_watched]
        for user_id in unwatched[:-1][: max(0, len(self._users) - MAX_UNWATCHED)]:
            self._users.pop(user_id).cancel()

    async def close(self) -> None:
        """End them all."""
        users = list(self._users.values())
        self._users.clear()
        for lists in users:
            await lists.close()
