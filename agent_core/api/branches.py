"""Branches: edited, regenerated, selected, and forked into a thread of their own."""

from __future__ import annotations

import asyncio

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, Prompt, checked_id, known_id, user_of
from agent_core.domain.messages import Message, Thread
from agent_core.errors import ThreadNotFoundError
from agent_core.sentences import sentence
from agent_core.store.turns import branches, forks
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.faults import crash_point


class BranchMethods(ApiBase):
    """The methods that go back to an earlier message; what stood after it is kept beside."""

    async def edit_message(
        self, thread_id: str, message_id: str, prompt: Prompt, *, ctx: CallContext | None = None
    ) -> Message:
        """Put other words in the place of a person's message, and answer those.

        The message and all after it are put aside as a branch of their own, to which `select_branch`
        returns. What is still queued is answered afterwards.

        Args:
            thread_id: the thread; it must be idle.
            message_id: a shown message of the role user.
            prompt: a str or a list of parts.
            ctx: who calls.

        Returns:
            the new message, which has an id of its own.

        Raises:
            ThreadNotFoundError, ThreadBusyError
            MessageNotFoundError: the thread has no such message.
            ValidationError: the message is not shown, queued or not a user's, or the prompt is not acceptable.
        """
        await self._authorize(ctx, thread_id)
        new = await self._prompt(ctx, prompt)
        await self.store.writer.run(branches.edit, thread_id, known_id(message_id), new)
        crash_point("send.after")
        found = await asyncio.to_thread(self.store.reads.message, thread_id, new.id)
        if found is None:
            raise ThreadNotFoundError(sentence("thread_not_found", thread=thread_id))
        return found

    async def regenerate(
        self,
        thread_id: str,
        message_id: str,
        *,
        when_busy: WhenBusy = "reject",
        anywhere: bool = False,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Answer once more; the answer so far and all after it are put aside as a branch of their own.

        Name the answer rather than the question: then of two calls at once, or one after the other,
        one is refused, because the answer is put aside by then. A question may be answered again and again.

        Args:
            thread_id: the thread.
            message_id: a shown answer, or the shown message that was answered.
            when_busy: while the thread is running, "reject", "interrupt" or "end_wait", as in `send_message`.
            anywhere: whether the message may also be one of a branch that is not shown; it is shown then.
            ctx: who calls.

        Raises:
            ThreadNotFoundError, ThreadBusyError
            MessageNotFoundError: the thread has no such message.
            ValidationError: the message is not shown or queued, or there is nothing to answer.
        """
        await self._authorize(ctx, thread_id)
        await self._ready(thread_id, when_busy, False)
        await self.store.writer.run(
            branches.regenerate, thread_id, known_id(message_id), when_busy, anywhere=anywhere
        )
        crash_point("send.after")
        return await self._thread(thread_id)

    async def select_branch(
        self, thread_id: str, message_id: str, *, ctx: CallContext | None = None
    ) -> Thread:
        """Show the branch of a message (one of `Message.branches`) as it was last shown.

        The present branch is put aside from where they part. The thread is "completed" then, or
        "stopped" if that branch was left in the middle of its last reply: `resume_thread` goes on.

        Args:
            thread_id: the thread; it must be idle.
            message_id: any message of the branch. If it is shown, nothing happens.
            ctx: who calls.

        Raises:
            ThreadNotFoundError, ThreadBusyError
            MessageNotFoundError: the thread has no such message.
        """
        await self._authorize(ctx, thread_id)
        await self.store.writer.run(branches.select_branch, thread_id, known_id(message_id))
        return await self._thread(thread_id)

    async def fork_thread(
        self,
        thread_id: str,
        message_id: str,
        *,
        new_thread_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Copy a thread up to a message into a new one, which is idle; the original stays as it is.

        It has copies of the shown messages with everything that is committed. What was partial is
        history in the copy, and a tool call that was still open has failed there. The original may
        be running.

        Args:
            thread_id: the original.
            message_id: the last message that is copied, a shown one.
            new_thread_id: the copy's id instead of a new one, so that a page can name it first.
            ctx: who calls; the copy becomes theirs, or without a user it is the original owner's.

        Returns:
            the copy; metadata["forked_from"] holds the original's thread_id and message_id.

        Raises:
            ThreadNotFoundError
            MessageNotFoundError: the thread has no such message.
            ValidationError: the message is not shown or queued, or the new id is taken.
        """
        await self._authorize(ctx, thread_id)
        copy_id = checked_id(new_thread_id, "thread")
        owner = user_of(ctx)
        await self.store.writer.run(forks.fork, thread_id, known_id(message_id), copy_id, owner)
        return await self._thread(copy_id)
