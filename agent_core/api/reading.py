"""Reading: messages, streams, and following a thread while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import replace

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase
from agent_core.messages import Chunk, Message, Thread, Update
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
        the thread. The `authorization_callback` is asked again before each later snapshot, and before
        other updates once `Settings.recheck` seconds have passed; what it raises ends the iteration.

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
        asked = time.monotonic()
        with self.runtime.feeds.follow(thread_id) as reader:
            while not self.runtime.feeds.closed:
                reader.look()
                updates = None if cursor is None else await reader.updates(cursor)
                again = updates is None and cursor is not None
                if updates is None:
                    updates = [await asyncio.to_thread(self._snapshot, thread_id, limit)]
                again = again or time.monotonic() - asked >= self.runtime.settings.recheck
                if again and updates and updates[0].type != "deleted":
                    await self._authorize(ctx, thread_id)
                    asked = time.monotonic()
                for update in updates:
                    yield self._visible(update)
                    if update.type == "deleted":
                        return
                    cursor = update.cursor
                if not updates:
                    await reader.wait()

    def _snapshot(self, thread_id: str, limit: int | None) -> Update:
        snapshot = self.runtime.reads.snapshot(thread_id, limit)
        return snapshot or Update(type="deleted", cursor=0)

    def _visible(self, update: Update) -> Update:
        """Return the update without system messages, where they are not shown."""
        if not self._exclude_system:
            return update
        chunks = [chunk for chunk in update.chunks if not _is_system(chunk)]
        if update.messages or len(chunks) < len(update.chunks):
            return replace(update, messages=tuple(self._shown(update.messages)), chunks=tuple(chunks))
        return update

    async def changes(self) -> AsyncGenerator[None]:
        """Yield at once, and again whenever any thread may have changed; for lists of threads."""
        with self.runtime.feeds.follow(LIST_FEED) as reader:
            while not self.runtime.feeds.closed:
                reader.look()
                yield
                await reader.wait()

    async def wait_until_idle(
        self,
        thread_id: str,
        timeout: float | None = None,  # part of the contract
        *,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Wait until a thread is not running and return it.

        Raises:
            ThreadNotFoundError: there is no such thread, or it is deleted meanwhile.
            TimeoutError: it still runs after `timeout` seconds.
        """
        await self._authorize(ctx, thread_id)
        with self.runtime.feeds.follow(idle_feed(thread_id)) as reader:
            async with asyncio.timeout(timeout):
                while True:
                    reader.look()
                    thread = await self._thread(thread_id)
                    if thread.status not in RUNNING:
                        return thread
                    await reader.wait()


def _is_system(chunk: Chunk) -> bool:
    return chunk["type"] == "data-message" and chunk["data"]["role"] == "system"
