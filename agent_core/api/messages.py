"""Reading: messages, streams, and following a thread while it runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, storable
from agent_core.domain.field_limits import check_number
from agent_core.domain.messages import Chunk, Message, Thread, Update
from agent_core.domain.states import RUNNING
from agent_core.errors import ValidationError
from agent_core.store.database.sql import LIST_FEED, idle_feed
from agent_core.store.reads import stream_cursors
from agent_core.store.store import Store

_MAX_CURSORS = 1_000


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
        check_number("limit", limit)
        known = before if before is None or storable(before) else ""
        found = await asyncio.to_thread(self.store.reads.messages, thread_id, limit, known)
        return self._shown(found)

    async def list_messages_with_streams(
        self,
        thread_id: str,
        stream_args: Mapping[str, Any] | None = None,
        *,
        ctx: CallContext | None = None,
    ) -> dict[str, Any]:
        """Return persisted messages, and the streams or what of them a client has not read yet.

        A client asks for the list, then again and again for the deltas after its cursors, each 0 at
        first and then the `end` of the last delta it got. In whatever rhythm it asks, it gets the
        chunks of a stream once and in order, for as long as the stream is in the list: until the
        second turn after it begins, or the thread has been idle for minutes. By then its message
        holds all of it.

        Args:
            thread_id: the thread.
            stream_args: {"kind": "list"} or {"kind": "deltas", "cursors": [{"streamId": …, "cursor":
                …}, …]}; None: no streams.
            ctx: who calls.

        Returns:
            `messages`, a list of `Message`; and `streams`, which is None, or {"kind": "list",
            "messages": [{streamId, status ("streaming", "finished", "aborted"), msgId, threadId, seq,
            _creationTime}, …]}, or {"kind": "deltas", "deltas": [{streamId, seq, messageId, start,
            end, parts}, …]} with one delta for each stream that has something new; its parts are
            chunks of the UI message stream.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: `stream_args` is neither of the two.
        """
        await self._authorize(ctx, thread_id)
        asked = None if stream_args is None else _stream_args(thread_id, stream_args)
        await self._thread(thread_id)
        read = partial(self.store.reads.messages_with, thread_id)
        if asked is None:
            found, streams = await asyncio.to_thread(read, _no_streams)
        elif asked == "list":
            found, listed = await asyncio.to_thread(read, stream_cursors.streams)
            streams = {"kind": "list", "messages": listed}
        else:
            found, deltas = await asyncio.to_thread(read, stream_cursors.deltas_after, asked)
            streams = {"kind": "deltas", "deltas": deltas}
        return {"messages": self._shown(found), "streams": streams}

    async def stream_updates(
        self, thread_id: str, from_seq: int = 0, *, ctx: CallContext | None = None
    ) -> list[Update]:
        """Return the chunks of each stream with seq >= `from_seq`, one update per stream, in order.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self._thread(thread_id)
        return await asyncio.to_thread(self.store.reads.streams, thread_id, from_seq)

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
        async with aclosing(
            follow(self.store, thread_id, cursor, limit, partial(self._authorize, ctx))
        ) as updates:
            async for update in updates:
                yield self._visible(update)

    def _visible(self, update: Update) -> Update:
        """Return the update without system messages, where they are not shown."""
        return without_system(update) if self._exclude_system else update

    async def changes(self) -> AsyncGenerator[frozenset[str] | None]:
        """Yield at once, and again whenever any thread may have changed; for lists of threads.

        What is yielded are names, among them the ids of all threads that may have changed since it
        yielded before, deleted ones too; or None: any may have. The first is always None.
        """
        with self.store.feeds.follow(LIST_FEED) as reader:
            while not self.store.feeds.closed:
                touched = reader.start_read()
                yield None if touched is None else frozenset(touched)
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
        with self.store.feeds.follow(idle_feed(thread_id)) as reader:
            async with asyncio.timeout(timeout):
                while True:
                    reader.start_read()
                    thread = await self._thread(thread_id)
                    if thread.status not in RUNNING:
                        return thread
                    await reader.wait()


async def follow(
    store: Store, thread_id: str, cursor: int | None, limit: int | None, ask: Callable[[str], Awaitable[None]]
) -> AsyncGenerator[Update]:
    """Follow a thread, as `subscribe` says; `ask` raises as soon as the reader may not any more."""
    asked = time.monotonic()
    with store.feeds.follow(thread_id) as reader:
        while not store.feeds.closed:
            reader.start_read()
            updates = None if cursor is None else await reader.updates(cursor)
            again = updates is None and cursor is not None
            if updates is None:
                snapshot = await asyncio.to_thread(store.reads.snapshot, thread_id, limit)
                updates = [snapshot or Update(type="deleted", cursor=0)]
            again = again or time.monotonic() - asked >= store.settings.recheck
            if again and updates and updates[0].type != "deleted":
                await ask(thread_id)
                asked = time.monotonic()
            for update in updates:
                yield update
                if update.type == "deleted":
                    return
                cursor = update.cursor
            if not updates:
                await reader.wait()


def without_system(update: Update) -> Update:
    """Return the update without system messages."""
    chunks = [chunk for chunk in update.chunks if not _is_system(chunk)]
    if update.messages or len(chunks) < len(update.chunks):
        shown = tuple(message for message in update.messages if message.role != "system")
        return replace(update, messages=shown, chunks=tuple(chunks))
    return update


def _is_system(chunk: Chunk) -> bool:
    return chunk["type"] == "data-message" and chunk["data"]["role"] == "system"


def _no_streams(*_: object) -> None:
    """Read nothing beside the messages."""


def _stream_args(thread_id: str, given: Any) -> Literal["list"] | dict[int, int]:
    """Return "list", or the cursors by seq.

    Raises:
        ValidationError: it is neither of the two forms.
    """
    if given == {"kind": "list"}:
        return "list"
    listed: Any = given.get("cursors") if _is(given, Mapping) else None
    if not _is(listed, list) or given != {"kind": "deltas", "cursors": listed}:
        raise ValidationError('stream_args is {"kind": "list"} or {"kind": "deltas", "cursors": […]}.')
    if len(listed) > _MAX_CURSORS:
        raise ValidationError(f"Ask for at most {_MAX_CURSORS} streams at once.")
    after: dict[int, int] = {}
    for one in listed:
        seq = _seq(thread_id, one)
        if seq is not None and after.setdefault(seq, one["cursor"]) != one["cursor"]:
            raise ValidationError(f"The stream {one['streamId']!r} stands among the cursors twice.")
    return after


def _seq(thread_id: str, one: Any) -> int | None:
    """Return the seq of the stream that one cursor is for; None for one of another thread, or gone."""
    cursor = one.get("cursor") if _is(one, Mapping) else None
    if type(cursor) is not int or not 0 <= cursor < 2**62 or set(one) != {"streamId", "cursor"}:
        raise ValidationError(
            'A cursor is {"streamId": the stream\'s, "cursor": 0 or the last delta\'s end}.'
        )
    if not isinstance(one["streamId"], str):
        raise ValidationError("A streamId is a string, as the list of streams gives it.")
    return stream_cursors.seq_of(thread_id, one["streamId"])


def _is(value: Any, kind: type[Any]) -> bool:
    """Say isinstance, and leave the type of what came from outside open."""
    return isinstance(value, kind)
