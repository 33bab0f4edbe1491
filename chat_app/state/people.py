"""The lists of threads of each person who is here, read once for all of their tabs."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from agent_core import AgentApi, CallContext
from agent_core.agent import NOBODY
from chat_app.state.feed import Feed
from chat_app.state.waits import Waits

NO_ONE = CallContext(NOBODY)
"""Whoever is not signed in; no thread is theirs."""

MAX_KEPT = 32
"""How many people's lists are kept although none of their tabs is open any more."""


@dataclass(frozen=True)
class Lists:
    """What the tabs of one person show beside a thread: their threads, their archive, what waits for them."""

    api: AgentApi
    feed: Feed
    archive: Feed
    waits: Waits

    @classmethod
    def of(cls, api: AgentApi, *, always: bool) -> Lists:
        """Make the lists of what `api` gives; `always`: the threads are read also while nobody watches."""
        return cls(api, Feed(api, always=always), Feed(api, archived=True), Waits())

    async def follow(self) -> None:
        """Keep them up to date until cancelled."""
        async with AsyncExitStack() as stack:
            for following in (
                self.feed.following(),
                self.archive.following(),
                self.waits.following(self.api),
            ):
                await stack.enter_async_context(following)
            await asyncio.Event().wait()


class People:
    """Everybody's lists, made when a person comes and forgotten some time after they left."""

    def __init__(self) -> None:
        self._here: OrderedDict[str, tuple[Lists, asyncio.Task[None]]] = OrderedDict()

    def lists(self, name: str, api: AgentApi) -> Lists:
        """Return the lists of a person, who calls through `api`."""
        if name not in self._here:
            made = Lists.of(api, always=False)
            self._here[name] = made, asyncio.create_task(made.follow())
        self._here.move_to_end(name)
        self._forget()
        return self._here[name][0]

    def _forget(self) -> None:
        """End the oldest lists that nobody watches, if there are too many; never the newest."""
        unwatched = [name for name, (lists, _) in self._here.items() if not lists.feed.is_watched]
        for name in unwatched[:-1][: max(0, len(self._here) - MAX_KEPT)]:
            self._here.pop(name)[1].cancel()

    async def close(self) -> None:
        """End them all."""
        tasks = [task for _, task in self._here.values()]
        self._here.clear()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
