"""Threads: created, listed, changed, deleted."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Collection, Sequence
from typing import Any

from agent_core.agent import NOBODY, CallContext
from agent_core.api.base import (
    ApiBase,
    Prompt,
    checked_id,
    checked_metadata,
    checked_title,
    owner_of,
    storable,
    user_of,
)
from agent_core.domain.field_limits import (
    MAX_MESSAGES,
    MAX_QUERY,
    check_count,
    check_number,
    check_text,
)
from agent_core.domain.messages import Thread
from agent_core.domain.validation import clean_text
from agent_core.errors import ValidationError
from agent_core.store.reads import thread_list
from agent_core.store.threads import thread_row
from agent_core.store.turns import trash, turns
from agent_core.support.faults import crash_point

_MAX_UNDO = 366 * 86_400.0


class ThreadMethods(ApiBase):
    """The methods for threads as a whole."""

    async def create_thread(
        self,
        prompt: Prompt | None = None,
        *,
        messages: Sequence[dict[str, Any]] | None = None,
        auto_start: bool | None = None,
        title: str | None = None,
        metadata: dict[str, Any] | None = None,
        thread_id: str | None = None,
        message_id: str | None = None,
        agent: str | None = None,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Create a thread; it runs at once if a prompt is given or `auto_start` is true.

        Args:
            prompt: the first message, a str or a list of parts.
            messages: earlier messages, dicts with role, parts (or content) and perhaps id, metadata.
            auto_start: run (or not) whatever is given.
            title: shown in lists; without one it is taken from the first message.
            metadata: plain JSON of the application's own.
            thread_id: its id instead of a new one, so that a page can name it first.
            message_id: the same for the prompt's message.
            agent: the name of any agent that the runtime knows, instead of this API's own.
            ctx: who calls; the thread becomes theirs.

        Raises:
            ValidationError: the prompt is blank, a message is not acceptable, the agent is unknown, or
                the id is taken; nothing was created.
            DuplicateMessageError: `message_id` is a message of another thread already.
        """
        check_count("messages", messages or (), MAX_MESSAGES)
        new = [await self._message(ctx, message) for message in messages or ()]
        if prompt is not None:
            new.append(await self._prompt(ctx, prompt, message_id))
        run = auto_start if auto_start is not None else prompt is not None
        if run and not new:
            raise ValidationError("auto_start needs a prompt or messages to answer.")
        thread_id = checked_id(thread_id, "thread")
        sent = new[-1].id if prompt is not None and message_id is not None else None
        writer = self.store.writer
        # An id that was given is looked for in all threads; anything else is the thread's own.
        write = writer.run if sent is not None else functools.partial(writer.run_for, thread_id)
        await write(
            turns.create,
            thread_id,
            agent=self.agent.name if agent is None else self._agent_name(agent),
            title=checked_title(title),
            user_id=user_of(ctx),
            metadata=checked_metadata(metadata),
            messages=new,
            run=run,
            sent=sent,
        )
        crash_point("send.after")
        return await self._thread(thread_id)

    async def get_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread | None:
        """Return a thread, or None if there is none with this id."""
        if not storable(thread_id):
            return None
        await self._authorize(ctx, thread_id)
        thread = await asyncio.to_thread(self.store.reads.thread, thread_id)
        return None if thread is None or thread.in_bin else thread

    async def list_threads(
        self,
        limit: int = 100,
        *,
        cursor: str | Thread | None = None,
        query: str | None = None,
        archived: bool = False,
        pinned: bool | None = None,
        waiting: bool = False,
        user_id: str | None = None,
        among: Collection[str] | None = None,
        ctx: CallContext | None = None,
    ) -> list[Thread]:
        """Return threads, newest activity first.

        Args:
            limit: how many at the most, from 1.
            cursor: the last thread of the page before, or its id. The thread itself keeps its place although
                it has moved or is deleted meanwhile; so the next page is what stood after it.
            query: words that the title contains.
            archived: the archived ones instead of the others.
            pinned: only those that are pinned, or only those that are not.
            waiting: only those in which a tool call waits for a person's yes, or for an outcome from outside.
            user_id: only this person's.
            among: only those with these ids.
            ctx: who calls; if it has a user, only their own threads are listed, whatever `user_id` says.
        """
        check_number("limit", limit)
        check_text("query", query, MAX_QUERY)
        words, owner = clean_text(query) if query else None, owner_of(ctx, user_id)
        if owner is NOBODY:
            return []
        if isinstance(cursor, str) and not storable(cursor):
            cursor = None  # as one that nobody knows
        asked = thread_list.Listed(limit, cursor, words, archived, owner, pinned, waiting, among)
        return await asyncio.to_thread(self.store.reads.read, thread_list.threads, asked)

    async def update_thread(
        self,
        thread_id: str,
        *,
        title: str | None = None,
        pinned: bool | None = None,
        archived: bool | None = None,
        metadata: dict[str, Any] | None = None,
        agent: str | None = None,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Change what a person may change of a thread; what is None stays.

        Another `agent`, by the name that the runtime knows it by, answers from the next turn on.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: the agent cannot change while the thread is running.
            ValidationError: the agent is unknown, or a value is not acceptable.
        """
        await self._authorize(ctx, thread_id)
        given = {
            "title": checked_title(title),
            "pinned": pinned,
            "archived": archived,
            "metadata": None if metadata is None else checked_metadata(metadata),
            "agent": None if agent is None else self._agent_name(agent),
        }
        values = {name: value for name, value in given.items() if value is not None}
        if values:
            await self.store.writer.run(thread_row.change, thread_id, **values)
        return await self._thread(thread_id)

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
        if thread_row.SHARE in changes:
            raise ValidationError("api.shares changes the token.")
        await self.store.writer.run(thread_row.merge_metadata, thread_id, checked_metadata(changes))
        return await self._thread(thread_id)

    async def delete_thread(
        self, thread_id: str, *, undo_for: float = 0, ctx: CallContext | None = None
    ) -> None:
        """Delete a thread with everything that belongs to it, also while it runs.

        Args:
            thread_id: the thread.
            undo_for: seconds in which `restore_thread` can bring it back. It is stopped and to everybody
                gone at once, and deleted for good when they are over, whatever becomes of this process.
            ctx: who calls.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: `undo_for` is not a number of seconds up to a year.
        """
        await self._authorize(ctx, thread_id)
        if not 0 <= undo_for <= _MAX_UNDO:
            raise ValidationError("undo_for is a number of seconds, from 0 to a year.")
        if undo_for:
            await self.store.writer.run(trash.put, thread_id, undo_for)
        else:
            await self.store.writer.run(thread_row.remove, thread_id)

    async def restore_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread:
        """Bring back a thread that was deleted with `undo_for`; one that ran is stopped now.

        Raises:
            ThreadNotFoundError: there is no such thread, or its time is over.
        """
        await self._authorize(ctx, thread_id)
        await self.store.writer.run(trash.take_back, thread_id)
        return await self._thread(thread_id)
