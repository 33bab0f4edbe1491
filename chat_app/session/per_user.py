"""Lists of each person who is here, read once for all of their tabs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Generic, Protocol, TypeVar, cast

from agent_core import AgentApi, CallContext
from agent_core.agent import NOBODY

NO_ONE = CallContext(NOBODY)
"""Whoever is not signed in; no thread is theirs."""

MAX_KEPT = 32
"""How many people's lists are kept although none of their tabs is open any more."""


class Watchable(Protocol):
    """A list that tabs show."""

    @property
    def is_watched(self) -> bool:
        """Whether a tab shows it."""
        ...

    def following(self) -> AbstractAsyncContextManager[None]:
        """Keep it up to date while open."""
        ...


Kept = TypeVar("Kept", bound=Watchable)


class PerUser(Generic[Kept]):
    """Declares a list that each person has, once per process; `Lists` holds theirs under it.

    Args:
        make: from the API as a person calls it, and whether the list is everybody's, to their list.
    """

    declared: ClassVar[list[PerUser[Any]]] = []

    def __init__(self, make: Callable[[AgentApi, bool], Kept]) -> None:
        self.make = make
        self.declared.append(self)


class Lists:
    """The lists of one person, each made when it is first asked for and followed from then on.

    Args:
        api: as the person calls it.
        everybody: whether they are the lists of an app that knows no people.
    """

    def __init__(self, api: AgentApi, *, everybody: bool = False) -> None:
        self._api = api
        self._everybody = everybody
        self._kept: dict[PerUser[Any], Watchable] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def __getitem__(self, declared: PerUser[Kept]) -> Kept:
        """Return this person's list of a kind."""
        if declared not in self._kept:
            made = self._kept[declared] = declared.make(self._api, self._everybody)
            self._tasks.append(asyncio.create_task(_follow(made)))
        return cast(Kept, self._kept[declared])

    @property
    def is_watched(self) -> bool:
        """Whether a tab shows one of them."""
        return any(each.is_watched for each in self._kept.values())

    def begin(self) -> None:
        """Make all lists that there are, so that the first tab finds them read."""
        for declared in PerUser.declared:
            self[declared]

    def cancel(self) -> None:
        """Follow them no longer."""
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Follow them no longer, and wait until that has ended."""
        self.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class People:
    """Everybody's lists, made when a person comes and forgotten some time after they left."""

    def __init__(self) -> None:
        self._here: OrderedDict[str, Lists] = OrderedDict()

    def lists(self, name: str, api: AgentApi) -> Lists:
        """Return the lists of a person, who calls through `api`."""
        if name not in self._here:
            self._here[name] = Lists(api)
        self._here.move_to_end(name)
        self._forget()
        return self._here[name]

    def _forget(self) -> None:
        """End the oldest lists that nobody watches, if there are too many; never the newest."""
        unwatched = [name for name, lists in self._here.items() if not lists.is_watched]
        for name in unwatched[:-1][: max(0, len(self._here) - MAX_KEPT)]:
            self._here.pop(name).cancel()

    async def close(self) -> None:
        """End them all."""
        here = list(self._here.values())
        self._here.clear()
        for lists in here:
            await lists.close()


async def _follow(watchable: Watchable) -> None:
    async with watchable.following():
        await asyncio.Event().wait()
