"""Create, list, change and delete threads."""

from __future__ import annotations

import functools
from collections.abc import Collection, Sequence
from dataclasses import replace
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
from agent_core.domain.field_limits import MAX_MESSAGES, MAX_QUERY, check_count, check_number, check_text
from agent_core.domain.messages import Thread
from agent_core.domain.turn_options import TurnOptions
from agent_core.domain.validation import clean_text
from agent_core.errors import ValidationError
from agent_core.store.reads import thread_list
from agent_core.store.threads import thread_row
from agent_core.store.turns import deletion, trash, turns
from agent_core.support.faults import crash_point

_MAX_UNDO = 366 * 86_400.0


class ThreadMethods(ApiBase):
    """Methods for threads as a whole."""

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
        options: TurnOptions | None = None,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Create a thread; it runs at once if a prompt is given or `auto_start` is true.

        Args:
            prompt: the first message, a str or a list of parts.
            messages: earlier messages, dicts with role, parts (or content), and optionally id and metadata.
            auto_start: whether the thread runs; None: if there is a prompt.
            title: the title in lists; None: taken from the first message.
            metadata: plain JSON for the application.
            thread_id: the id of the thread; None: a new id.
            message_id: the id of the prompt's message; None: a new id.
            agent: the name of a registered agent; None: the agent of this API.
            options: what the caller asks for in the first turn beyond the agent.
            ctx: the caller, who owns the thread.

        Raises:
            ValidationError: the prompt is blank, a message is invalid, the agent is unknown, or a thread has
                the id; nothing was created.
            DuplicateMessageError: `message_id` is the id of another thread's message.
        """
        check_count("messages", messages or (), MAX_MESSAGES)
        new = [await self._message(ctx, message) for message in messages or ()]
        if prompt is not None:
            new.append(await self._prompt(ctx, prompt, message_id))
        run = auto_start if auto_start is not None else prompt is not None
        if run and not new:
            raise ValidationError("auto_start needs a prompt or messages to answer.")
        if new and options is not None:
            new[-1] = replace(new[-1], options=options.as_json())
        thread_id = checked_id(thread_id, "thread")
        sent = new[-1].id if prompt is not None and message_id is not None else None
        writer = self.store.writer
        # A given message id is looked up in all threads; all other rows are the thread's own.
        write = writer.run if sent is not None else functools.partial(writer.run_for, thread_id)
        await write(
            turns.create,
            thread_id,
            agent=self._agent_name(agent),
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
        thread = await self.store.get_thread(thread_id)
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
            limit: maximum number of threads, at least 1.
            cursor: the last thread of the previous page, or its id. With the thread itself no thread is skipped
                if it has moved or was deleted meanwhile.
            query: text that the title contains.
            archived: archived threads instead of the others.
            pinned: only pinned threads, or only the others; None: both.
            waiting: only threads in which a tool call waits for an approval, or for an outcome from outside.
            user_id: only this user's threads.
            among: only threads with these ids.
            ctx: the caller; if it has a user, only that user's threads are listed, regardless of `user_id`.
        """
        check_number("limit", limit)
        check_text("query", query, MAX_QUERY)
        words, owner = clean_text(query) if query else None, owner_of(ctx, user_id)
        if owner is NOBODY:
            return []
        if isinstance(cursor, str) and not storable(cursor):
            cursor = None  # like the id of no thread
        page = thread_list.ThreadQuery(limit, cursor, words, archived, owner, pinned, waiting, among)
        return await self.store.read(thread_list.threads, page)

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
        """Change a thread; None leaves a value as it is.

        Another `agent`, the name of a registered one, answers from the next turn on.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: the agent cannot change while the thread is running.
            ValidationError: the agent is unknown, or a value is invalid.
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
        """Set some keys of a thread's metadata and keep the others, in one transaction.

        So simultaneous changes of different keys are not lost; `update_thread(metadata=)` replaces all keys.

        Args:
            changes: plain JSON by key; None deletes a key.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ValidationError: the changes are not a dict of plain JSON, or make the metadata too long.
        """
        await self._authorize(ctx, thread_id)
        if thread_row.SHARE in changes:
            raise ValidationError("Only api.shares changes the token.")
        await self.store.writer.run(thread_row.merge_metadata, thread_id, checked_metadata(changes))
        return await self._thread(thread_id)

    async def delete_thread(
        self, thread_id: str, *, undo_for: float = 0, ctx: CallContext | None = None
    ) -> None:
        """Delete a thread with everything that belongs to it, also while it runs.

        Args:
            undo_for: seconds during which `restore_thread` can restore it. The thread is stopped and hidden at
                once, and deleted afterwards by any worker.

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
            await self.store.writer.run(deletion.delete_thread, thread_id)

    async def restore_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread:
        """Restore a thread that was deleted with `undo_for`; if it was running, it is stopped now.

        Raises:
            ThreadNotFoundError: there is no such thread, or it was deleted for good.
        """
        await self._authorize(ctx, thread_id)
        await self.store.writer.run(trash.take_back, thread_id)
        return await self._thread(thread_id)
