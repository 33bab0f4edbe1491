"""Sharing: a token with which a thread can be read, and what an application notes on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, storable
from agent_core.api.messages import follow, without_system
from agent_core.domain.messages import ATTACHMENT, Message, StoredFile, Thread, Update
from agent_core.errors import ThreadNotFoundError
from agent_core.store.database.sql import dump
from agent_core.store.threads import files, thread_row


class Shares(ApiBase):
    """`api.shares`: the methods for read-only tokens of threads."""

    async def create(self, thread_id: str, *, ctx: CallContext | None = None) -> str:
        """Return the token with which anybody may read the thread; the same until it is taken back.

        It has 256 random bits and is shown in metadata["share"], which nothing else can change.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        return await self.store.writer.run(thread_row.share, thread_id)

    async def revoke(self, thread_id: str, *, ctx: CallContext | None = None) -> None:
        """Take the token back: from now on it is unknown. A thread that has none stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.store.writer.run(thread_row.unshare, thread_id)

    async def read(self, token: str) -> tuple[Thread, list[Message]] | None:
        """Return the thread with this token, as it stands now, and its messages; None if there is none.

        Nobody is asked who calls: the token is what allows it.
        """
        thread = await self._shared(token)
        if thread is None:
            return None
        found = await asyncio.to_thread(self.store.reads.messages, thread.id, None, None)
        return thread, [message for message in found if message.role != "system"]

    async def subscribe(self, token: str) -> AsyncGenerator[Update]:
        """Follow the thread with this token, as `subscribe` does, for as long as the token leads to it.

        Raises:
            ThreadNotFoundError: nothing is shared with this token, or not any more: at once when it is
                taken back, and when the thread is put into the bin.
        """
        thread = await self._shared(token)

        async def ask(thread_id: str) -> None:
            known = await self._shared(token)
            if known is None or known.id != thread_id:
                raise ThreadNotFoundError("Nothing is shared by this link any more.")

        if thread is None:
            raise ThreadNotFoundError("Nothing is shared by this link.")
        async with aclosing(follow(self.store, thread.id, None, None, ask)) as updates:
            async for update in updates:
                if update.type == "deleted" or any(chunk["type"] == "data-thread" for chunk in update.chunks):
                    await ask(thread.id)
                yield without_system(update)

    async def read_file(self, token: str, file_id: str) -> StoredFile | None:
        """Return a file that a message of the shared thread shows; None if there is none.

        A thread has files of more messages: those of branches that were put aside, and withdrawn ones.
        """
        thread = await self._shared(token)
        if thread is None or not storable(file_id):
            return None
        read = self.store.reads.messages_with
        messages, found = await asyncio.to_thread(read, thread.id, files.read, [file_id])
        shown = any(ATTACHMENT + file_id in dump(message.parts) for message in messages)
        return found.get(file_id) if shown else None

    async def _shared(self, token: str) -> Thread | None:
        if not storable(token) or not 0 < len(token) <= 100:
            return None
        thread_id = await asyncio.to_thread(self.store.reads.read, thread_row.shared_thread, token)
        return None if thread_id is None else await asyncio.to_thread(self.store.reads.thread, thread_id)
