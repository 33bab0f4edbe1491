"""Share threads by read-only tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, storable
from agent_core.domain.messages import ATTACHMENT, Message, StoredFile, Thread, Update
from agent_core.errors import ThreadNotFoundError
from agent_core.store.database.sql import dump
from agent_core.store.threads import files, thread_row


class Shares(ApiBase):
    """`api.shares`: methods for read-only tokens of threads."""

    async def create(self, thread_id: str, *, ctx: CallContext | None = None) -> str:
        """Return the token with which anybody may read the thread; it is the same until it is revoked.

        It has 256 random bits and is shown in metadata["share"], which no other method can change.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        return await self.store.writer.run(thread_row.share, thread_id)

    async def revoke(self, thread_id: str, *, ctx: CallContext | None = None) -> None:
        """Revoke the thread's token, if it has one.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.store.writer.run(thread_row.unshare, thread_id)

    async def read(self, token: str) -> tuple[Thread, list[Message]] | None:
        """Return the thread with this token, in its current state, and its messages; None if there is none.

        The token is the authorization; `authorization_callback` is not called.
        """
        thread = await self._shared(token)
        if thread is None:
            return None
        found = await asyncio.to_thread(self.store.reads.messages, thread.id)
        return thread, [message for message in found if message.role != "system"]

    async def subscribe(self, token: str) -> AsyncGenerator[Update]:
        """Follow the thread with this token, as `AgentApi.subscribe` does, until the token is revoked.

        Raises:
            ThreadNotFoundError: no thread has this token: at once, or as soon as the token is revoked or the
                thread is deleted, with `undo_for`, too.
        """
        thread = await self._shared(token)

        async def authorize(thread_id: str) -> None:
            known = await self._shared(token)
            if known is None or known.id != thread_id:
                raise ThreadNotFoundError("This link no longer shares a thread.")

        if thread is None:
            raise ThreadNotFoundError("This link shares no thread.")
        async with aclosing(self.store.follow(thread.id, None, None, authorize)) as updates:
            async for update in updates:
                if update.type == "deleted" or any(chunk["type"] == "data-thread" for chunk in update.chunks):
                    await authorize(thread.id)
                yield update.without_system()

    async def read_file(self, token: str, file_id: str) -> StoredFile | None:
        """Return a file that a shown message of the shared thread has; None if there is none.

        Files of withdrawn messages, and of branches that were put aside, are not shared.
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
        thread_id = await self.store.read(thread_row.shared_thread, token)
        return None if thread_id is None else await self.store.get_thread(thread_id)
