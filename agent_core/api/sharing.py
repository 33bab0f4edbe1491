"""Sharing: a token with which a thread can be read, and what an application notes on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from agent_core.agent import CallContext
from agent_core.api.base import checked_metadata, storable
from agent_core.api.reading import ReadingMethods, without_system
from agent_core.errors import ThreadNotFoundError, ValidationError
from agent_core.messages import ATTACHMENT, Message, Thread, Update
from agent_core.store import files, sharing
from agent_core.store.files import StoredFile
from agent_core.store.rows import dump
from agent_core.store.tokens import SHARE


class SharingMethods(ReadingMethods):
    """The methods for a thread's metadata and for its read-only token."""

    async def change_metadata(
        self, thread_id: str, changes: dict[str, Any], *, ctx: CallContext | None = None
    ) -> Thread:
        """Set some keys of a thread's metadata and leave the others, in one transaction.

        Two who change different keys at once don't lose each other's; `update_thread(metadata=)` puts
        all of it in the place of what was there.

        Args:
            thread_id: the thread.
            changes: plain JSON by key; None takes a key out.
            ctx: who calls.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: the changes are no dict of plain JSON, or make the metadata too long.
        """
        await self._authorize(ctx, thread_id)
        if SHARE in changes:
            raise ValidationError("share_thread and unshare_thread change the token.")
        await self.store.writer.run(sharing.merge, thread_id, checked_metadata(changes))
        return await self._thread(thread_id)

    async def share_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> str:
        """Return the token with which anybody may read the thread; the same until it is taken back.

        It has 256 random bits and is shown in metadata["share"], which nothing else can change.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        return await self.store.writer.run(sharing.share, thread_id)

    async def unshare_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> None:
        """Take the token back: from now on it is unknown. A thread that has none stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.store.writer.run(sharing.unshare, thread_id)

    async def read_shared(self, token: str) -> tuple[Thread, list[Message]] | None:
        """Return the thread with this token, as it stands now, and its messages; None if there is none.

        Nobody is asked who calls: the token is what allows it.
        """
        thread = await self._shared(token)
        if thread is None:
            return None
        found = await asyncio.to_thread(self.store.reads.messages, thread.id, None, None)
        return thread, [message for message in found if message.role != "system"]

    async def subscribe_shared(self, token: str) -> AsyncGenerator[Update]:
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
        async with aclosing(self._follow(thread.id, None, None, ask)) as updates:
            async for update in updates:
                if update.type == "deleted" or any(chunk["type"] == "data-thread" for chunk in update.chunks):
                    await ask(thread.id)
                yield without_system(update)

    async def read_shared_file(self, token: str, file_id: str) -> StoredFile | None:
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
        thread_id = await asyncio.to_thread(self.store.reads.read, sharing.thread_of, token)
        return None if thread_id is None else await asyncio.to_thread(self.store.reads.thread, thread_id)
