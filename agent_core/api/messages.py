"""Read and follow messages, and store and read their files."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any, Literal

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, checked_media_type, storable, user_of
from agent_core.domain.field_limits import MAX_FILE_BYTES, check_number
from agent_core.domain.messages import ATTACHMENT, Message, Part, StoredFile, Thread, Update
from agent_core.domain.states import RUNNING
from agent_core.domain.validation import clean_text
from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.sql import LIST_FEED, idle_feed
from agent_core.store.reads import stream_cursors
from agent_core.store.threads import files
from agent_core.text.conversion import ConversionError, convert

_MAX_CURSORS = 1_000


class MessageMethods(ApiBase):
    """Methods that read and follow threads, and methods for the files of messages."""

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
            limit: only the newest messages, at most this number.
            before: only messages before the one with this id.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._open(ctx, thread_id)
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
        """Return persisted messages, and the list of streams or their deltas after a client's cursors.

        A client requests the list, then repeatedly the deltas after its cursors, each 0 at first and then the
        `end` of the last delta it received. It receives the chunks of a stream once and in order, at any
        interval, while the stream is in the list: until the second turn after it begins, or the thread has been
        idle for minutes. By then its message has all of its content.

        Args:
            stream_args: {"kind": "list"} or {"kind": "deltas", "cursors": [{"streamId": …, "cursor":
                …}, …]}; None: no streams.

        Returns:
            `messages`, a list of `Message`; and `streams`, which is None, or {"kind": "list",
            "messages": [{streamId, status ("streaming", "finished", "aborted"), msgId, threadId, seq,
            _creationTime}, …]}, or {"kind": "deltas", "deltas": [{streamId, seq, messageId, start,
            end, parts}, …]} with one delta for each stream with new chunks; its parts are chunks of the UI
            message stream.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: `stream_args` has neither form.
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
        await self._open(ctx, thread_id)
        return await asyncio.to_thread(self.store.reads.streams, thread_id, from_seq)

    async def subscribe(
        self,
        thread_id: str,
        cursor: int | None = None,
        *,
        limit: int | None = None,
        ctx: CallContext | None = None,
    ) -> AsyncGenerator[Update]:
        """Yield a snapshot of a thread and all later updates, in order, until the caller leaves.

        With the cursor of the last update read, only later updates are yielded, exactly once; if they were deleted,
        a new snapshot comes first. Any process may run the thread. The `authorization_callback` is called again
        before each later snapshot, and before other updates every `Settings.recheck` seconds; its error ends the
        iteration.

        Args:
            cursor: the cursor of the last update of an earlier subscription.
            limit: maximum number of messages in a snapshot, the newest ones; None: all.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._open(ctx, thread_id)
        authorize = partial(self._authorize, ctx)
        async with aclosing(self.store.follow(thread_id, cursor, limit, authorize)) as updates:
            async for update in updates:
                yield update.without_system() if self._exclude_system else update

    async def changes(self) -> AsyncGenerator[frozenset[str] | None]:
        """Yield whenever threads may have changed, for lists of threads; the first time at once.

        A set has, among other names, the ids of the threads that may have changed since the previous one, deleted
        threads, too. None, which comes first: any thread may have changed.
        """
        with self.store.feeds.follow(LIST_FEED) as reader:
            while not self.store.feeds.closed:
                touched = reader.start_read()
                yield None if touched is None else frozenset(touched)
                await reader.wait()

    async def wait_until_idle(
        self,
        thread_id: str,
        timeout: float | None = None,
        *,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Wait until a thread is not running and return it.

        Raises:
            ThreadNotFoundError: there is no such thread, or it was deleted meanwhile.
            TimeoutError: the thread is still running after `timeout` seconds.
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

    async def add_file(
        self, data: bytes, *, media_type: str, filename: str | None = None, ctx: CallContext | None = None
    ) -> Part:
        """Store a file for a day and return the part with which to send it.

        Only its sender, and users who may read a thread that has the file, can send the part. The message with
        the part takes the file over: it is forked and deleted with its thread, and the model gets its bytes (a
        picture, a PDF, or the words of a text). With the extra `files`, a docx, xlsx or pptx is converted to
        Markdown and a HEIC picture to a JPEG, which the model gets instead.

        Args:
            data: 1 to `MAX_FILE_BYTES` bytes.
            media_type: type of the file for the model, such as "image/png".
            filename: name of the file for people.

        Raises:
            ValidationError: the file is empty or too large, `media_type` is not a media type, or the file cannot
                be converted (code "file_unreadable").
        """
        if not 0 < len(data) <= MAX_FILE_BYTES:
            raise ValidationError(f"A file has 1 to {MAX_FILE_BYTES:,} bytes, not {len(data):,}.")
        checked_media_type(media_type)
        name = {"filename": clean_text(filename)[:200]} if filename else {}
        file_id = await asyncio.to_thread(lambda: hashlib.sha256(data).hexdigest())
        try:
            converted = await convert(data, media_type)
        except ConversionError as error:
            raise ValidationError(sentence("file_unreadable", name=name.get("filename", "file"))) from error
        file = StoredFile(file_id, media_type, bytes(data), converted)
        await self.store.writer.run(files.keep, file, user_of(ctx))
        return {"type": "file", "mediaType": media_type, "url": ATTACHMENT + file_id, **name}

    async def read_file(
        self, thread_id: str, file_id: str, *, ctx: CallContext | None = None
    ) -> StoredFile | None:
        """Return a file of a thread by the id in its part's URL; None if the thread has no such file.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._open(ctx, thread_id)
        if not storable(file_id):
            return None
        return (await self.store.read(files.read, thread_id, [file_id])).get(file_id)


def _no_streams(*_: object) -> None:
    """Read no streams."""


def _stream_args(thread_id: str, given: Any) -> Literal["list"] | dict[int, int]:
    """Return "list", or the cursors by seq.

    Raises:
        ValidationError: `given` has neither form.
    """
    if given == {"kind": "list"}:
        return "list"
    listed: Any = given.get("cursors") if _is(given, Mapping) else None
    if not _is(listed, list) or given != {"kind": "deltas", "cursors": listed}:
        raise ValidationError('stream_args is {"kind": "list"} or {"kind": "deltas", "cursors": […]}.')
    if len(listed) > _MAX_CURSORS:
        raise ValidationError(f"Request at most {_MAX_CURSORS} streams at once.")
    after: dict[int, int] = {}
    for one in listed:
        seq = _seq(thread_id, one)
        if seq is not None and after.setdefault(seq, one["cursor"]) != one["cursor"]:
            raise ValidationError(f"The stream {one['streamId']!r} has two different cursors.")
    return after


def _seq(thread_id: str, one: Any) -> int | None:
    """Return the seq of a cursor's stream; None if the thread has no such stream."""
    cursor = one.get("cursor") if _is(one, Mapping) else None
    if type(cursor) is not int or not 0 <= cursor < 2**62 or set(one) != {"streamId", "cursor"}:
        raise ValidationError(
            'A cursor is {"streamId": the stream\'s, "cursor": 0 or the last delta\'s end}.'
        )
    if not isinstance(one["streamId"], str):
        raise ValidationError("A streamId is a string from the list of streams.")
    return stream_cursors.seq_of(thread_id, one["streamId"])


def _is(value: Any, kind: type[Any]) -> bool:
    """Return isinstance without narrowing the type of a value from outside."""
    return isinstance(value, kind)
