"""Reading: messages, streams, and following a thread while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase
from agent_core.messages import Message, Thread, Update
from agent_core.states import RUNNING
from agent_core.store.rows import LIST_FEED, idle_feed


class ReadingMethods(ApiBase):
    """The methods that change nothing."""

    async def list_messages(
        self,
        thread_id: str,
        *,
        limit: int | None = None,
        before: str | None = None,
        ctx: CallContext | None = None,
    ) -> list[Message]:
        """Return persisted messages, oldest first.

        Args:
            thread_id: the thread.
            limit: only the newest so many.
            before: only those before the message with this id.
            ctx: who calls.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self._thread(thread_id)
        found = await asyncio.to_thread(self.runtime.reads.messages, thread_id, limit, before)
        return self._shown(found)

    async def stream_updates(
        self, thread_id: str, from_seq: int = 0, *, ctx: CallContext | None = None
    ) -> list[Update]:
        """Return the chunks of each stream with seq >= `from_seq`, one update per stream, in order.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self._thread(thread_id)
        return await asyncio.to_thread(self.runtime.reads.streams, thread_id, from_seq)

    async def subscribe(
        self,
        thread_id: str,
        cursor: int | None = None,
        *,
        limit: int | None = None,
        ctx: CallContext | None = None,
    ) -> AsyncGenerator[Update]:
        """Follow a thread until the caller leaves: a snapshot, then everything after it, in order.

        With the cursor of the last update read, only what follows it comes, exactly once; if that
        is not kept any more, a new snapshot comes first. It makes no difference which process runs
        the thread.

        Args:
            thread_id: the thread.
            cursor: where an earlier subscription ended.
            limit: how many of the newest messages a snapshot holds; None: all.
            ctx: who calls.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self._thread(thread_id)
        feed = self.runtime.feeds.open(thread_id)
        try:
            while not self.runtime.feeds.closed:
                feed.clear()
                updates = await asyncio.to_thread(self._next, thread_id, cursor, limit)
                for update in updates:
                    yield update
                    if update.type == "deleted":
                        return
                    cursor = update.cursor
                if not updates:
                    await feed.wait()
        finally:
            self.runtime.feeds.leave(thread_id, feed)

    def _next(self, thread_id: str, cursor: int | None, limit: int | None) -> list[Update]:
        updates = None if cursor is None else self.runtime.reads.updates(thread_id, cursor)
        if updates is not None:
            return updates
        snapshot = self.runtime.reads.snapshot(thread_id, limit)
        if snapshot is None:
            return [Update(type="deleted", cursor=cursor or 0)]
        return [replace(snapshot, messages=tuple(self._shown(snapshot.messages)))]

    async def changes(self) -> AsyncGenerator[None]:
        """Yield at once, and again whenever any thread may have changed; for lists of threads."""
        feed = self.runtime.feeds.open(LIST_FEED)
        try:
            while not self.runtime.feeds.closed:
                feed.clear()
                yield
                await feed.wait()
        finally:
            self.runtime.feeds.leave(LIST_FEED, feed)

    async def wait_until_idle(
        self,
        thread_id: str,
        timeout: float | None = None,  # noqa: ASYNC109  # part of the contract
        *,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Wait until a thread is not running and return it.

        Raises:
            ThreadNotFoundError: there is no such thread, or it is deleted meanwhile.
            TimeoutError: it still runs after `timeout` seconds.
        """
        await self._authorize(ctx, thread_id)
        name = idle_feed(thread_id)
        feed = self.runtime.feeds.open(name)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    feed.clear()
                    thread = await self._thread(thread_id)
                    if thread.status not in RUNNING:
                        return thread
                    await feed.wait()
        finally:
            self.runtime.feeds.leave(name, feed)
