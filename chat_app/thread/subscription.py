"""A tab's subscription to the thread that it has open, and the reader of that thread."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Protocol

from agent_core import AgentApi
from agent_core.errors import AgentCoreError
from chat_app.session.tab_session import background_task
from chat_app.thread.follower import Follower, TextSlice
from chat_app.thread.tool_kinds import async_tools

_log = logging.getLogger(__name__)


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


class _Rows(Protocol):
    """Where the rows of a thread are shown. To enter it locks the tab's state, its live text included."""

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *exc_info: Any) -> None: ...

    def _opened(self) -> str: ...

    def _reader(self) -> Reader: ...

    def _show(self, follower: Follower) -> None: ...

    def _is_behind(self, follower: Follower) -> bool: ...

    def _lose(self, error: AgentCoreError) -> None: ...


class _Text(Protocol):
    """Where the text that is being written is shown."""

    def _send(self, piece: TextSlice | None) -> None: ...

    async def _pass_on(self, piece: TextSlice | None) -> None: ...

    def _forget(self) -> None: ...


class Subscription:
    """Shows a tab the thread that it has open, as it goes on.

    Reload, a second tab, another browser and a restarted server all come through here: first a snapshot,
    then everything after it. Further pieces of the live text go past the state (decision 0011); what else
    is new goes into both states under one lock, so that a row and its first piece arrive together.

    Args:
        rows: the state that shows the thread; it says which one is open.
        text: the state that holds the text being written.
    """

    def __init__(self, rows: _Rows, text: _Text) -> None:
        self._rows = rows
        self._text = text
        self._turned = asyncio.Event()
        self._followed: tuple[str, Reader] | None = None

    def turn(self) -> None:
        """Follow the thread that the tab has open by now, in place of the one before."""
        self._turned.set()

    def reader_of(self, opened: str) -> Reader | None:
        """Return what reads the thread that is open; None while none is followed, or still another."""
        return self._followed[1] if self._followed and self._followed[0] == opened else None

    async def run(self) -> None:
        """Follow the open thread, and the next when told to turn, until cancelled."""
        while True:
            self._turned.clear()
            async with background_task(self._follow_open()):
                await self._turned.wait()

    async def _follow_open(self) -> None:
        """Follow the open thread until it is gone, or the tab has another open."""
        opened, reader = "", None
        try:
            async with self._rows:
                opened = self._rows._opened()
                reader = self._rows._reader() if opened else None
            if reader is not None:
                await self._follow(opened, reader)
        except AgentCoreError as error:
            await self._lose(opened, error)
        except Exception:
            _log.exception("Could not follow %s", reader or "a thread")
            await self._lose(
                opened, AgentCoreError("The server could not read this chat. See the server log.")
            )

    async def _follow(self, opened: str, reader: Reader) -> None:
        follower, self._followed = reader.follower, (opened, reader)
        try:
            async with aclosing(reader.read()) as readings:
                async for _ in readings:
                    if not follower.rows_changed and not self._rows._is_behind(follower):
                        await self._text._pass_on(follower.piece())
                        continue
                    async with self._rows:
                        if self._rows._opened() != opened:
                            return
                        self._rows._show(follower)
                        self._text._send(follower.piece())
        finally:
            self._followed = None

    async def _lose(self, opened: str, error: AgentCoreError) -> None:
        async with self._rows:
            if self._rows._opened() == opened:
                self._rows._lose(error)
                self._text._forget()
