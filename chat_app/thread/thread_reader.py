"""What reads a thread for a tab: the updates of an API, and what they do not say."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Protocol

from agent_core import AgentApi
from chat_app.thread.follower import Follower
from chat_app.thread.tool_kinds import async_tools


class Reader(Protocol):
    """What a subscription reads.

    Attributes:
        follower: what has been read so far.
    """

    @property
    def follower(self) -> Follower: ...

    def read(self) -> AsyncGenerator[None]:
        """Yield after each update that the follower has taken in; the first is a snapshot.

        Raises:
            AgentCoreError: there is no such thread for this reader, or no longer.
        """
        ...

    async def read_times(self) -> None:
        """Tell the follower how long the tools that it shows took."""
        ...


class ThreadReader:
    """Reads a thread of an API."""

    def __init__(self, api: AgentApi, thread_id: str) -> None:
        self.follower = Follower()
        self._api = api
        self._thread_id = thread_id
        self._agent: str | None = None

    def __str__(self) -> str:
        return f"thread {self._thread_id}"

    async def read(self) -> AsyncGenerator[None]:
        """Yield after each update that the follower has taken in, as `Reader` says."""
        async with aclosing(self._api.subscribe(self._thread_id)) as updates:
            async for update in updates:
                self.follower.apply(update)
                if self.follower.rows_changed:
                    await self.read_times()
                    await self._read_agent()
                yield

    async def read_times(self) -> None:
        """Tell the follower how long its tools took: once for each answer, and again as a tool of it ends."""
        if answers := self.follower.untimed():
            self.follower.know(answers, await self._api.timeline(self._thread_id, replies=answers))

    async def _read_agent(self) -> None:
        """Tell the follower which tools of the thread's agent wait for somebody, when it has another agent."""
        if (agent := self.follower.thread.get("agent")) != self._agent:
            self._agent = agent
            self.follower.async_tools |= await async_tools(self._api, self.follower.thread)
