"""Subscription of a tab to its open thread, and the reader of that thread."""

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
    """Source of a subscription's updates.

    Attributes:
        follower: the updates read so far, folded.
    """

    @property
    def follower(self) -> Follower: ...

    def read(self) -> AsyncGenerator[None]:
        """Yield after each update that the follower has applied; the first update is a snapshot.

        Raises:
            AgentCoreError: the thread does not exist, was deleted, or this reader may not read it.
        """
        ...

    async def read_times(self) -> None:
        """Read how long the shown tool calls took, and pass the times to the follower."""
        ...


class ThreadReader:
    """Reader of one thread through an API."""

    def __init__(self, api: AgentApi, thread_id: str) -> None:
        self.follower = Follower(api.store.clock.now)
        self._api = api
        self._thread_id = thread_id
        self._agent: str | None = None

    def __str__(self) -> str:
        return f"thread {self._thread_id}"

    async def read(self) -> AsyncGenerator[None]:
        """Yield after each update that the follower has applied; see `Reader.read`."""
        async with aclosing(self._api.subscribe(self._thread_id)) as updates:
            async for update in updates:
                self.follower.apply(update)
                if self.follower.rows_changed:
                    await self.read_times()
                    await self._read_agent()
                yield

    async def read_times(self) -> None:
        """Read the times of tool calls: once for each answer, and again when one of its tool calls ends."""
        if answers := self.follower.untimed():
            self.follower.set_times(answers, await self._api.timeline(self._thread_id, replies=answers))

    async def _read_agent(self) -> None:
        """Read the names of the agent's async tools after the thread has changed to another agent."""
        if (agent := self.follower.thread.get("agent")) != self._agent:
            self._agent = agent
            self.follower.async_tools |= await async_tools(self._api, self.follower.thread)


class _RowsState(Protocol):
    """State that shows the rows of a thread; entering it locks the tab's state, its live text included."""

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *exc_info: Any) -> None: ...

    def _opened(self) -> str: ...

    def _reader(self) -> Reader: ...

    def _show(self, follower: Follower) -> None: ...

    def _is_behind(self, follower: Follower) -> bool: ...

    def _show_error(self, error: AgentCoreError) -> None: ...


class _TextState(Protocol):
    """State that shows the live text of a thread."""

    def _show(self, text_slice: TextSlice | None) -> None: ...

    async def _emit(self, text_slice: TextSlice | None) -> None: ...

    def _clear(self) -> None: ...


class Subscription:
    """Subscription that shows a tab its open thread while the thread changes.

    A reload, a second tab, another browser and a restarted server all use this one path: first a snapshot,
    then every update after it. Further slices of the live text bypass the state (decision 0011); all other
    changes go into both states under one lock, so that a row and its first slice arrive together.

    Args:
        rows: the state that shows the thread and names the open one.
        text: the state that holds the live text.
    """

    def __init__(self, rows: _RowsState, text: _TextState) -> None:
        self._rows = rows
        self._text = text
        self._switched = asyncio.Event()
        self._followed: tuple[str, Reader] | None = None

    def switch(self) -> None:
        """Follow the thread that is open now instead of the previous one."""
        self._switched.set()

    def reader_of(self, opened: str) -> Reader | None:
        """Return the reader of the open thread; None while no thread or still the previous one is read."""
        return self._followed[1] if self._followed and self._followed[0] == opened else None

    async def run(self) -> None:
        """Follow the open thread, and after `switch` the next one, until cancelled."""
        while True:
            self._switched.clear()
            async with background_task(self._follow_open()):
                await self._switched.wait()

    async def _follow_open(self) -> None:
        """Follow the open thread until it is deleted or the tab opens another one."""
        opened, reader = "", None
        try:
            async with self._rows:
                opened = self._rows._opened()
                reader = self._rows._reader() if opened else None
            if reader is not None:
                await self._follow(opened, reader)
        except AgentCoreError as error:
            await self._show_error(opened, error)
        except Exception:
            _log.exception("Could not follow %s", reader or "a thread")
            await self._show_error(
                opened, AgentCoreError("The server could not read this chat. See the server log.")
            )

    async def _follow(self, opened: str, reader: Reader) -> None:
        follower, self._followed = reader.follower, (opened, reader)
        try:
            async with aclosing(reader.read()) as readings:
                async for _ in readings:
                    if not follower.rows_changed and not self._rows._is_behind(follower):
                        await self._text._emit(follower.next_slice())
                        continue
                    async with self._rows:
                        if self._rows._opened() != opened:
                            return
                        self._rows._show(follower)
                        self._text._show(follower.next_slice())
        finally:
            self._followed = None

    async def _show_error(self, opened: str, error: AgentCoreError) -> None:
        async with self._rows:
            if self._rows._opened() == opened:
                self._rows._show_error(error)
                self._text._clear()
