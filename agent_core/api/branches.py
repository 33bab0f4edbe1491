"""Edit messages, regenerate replies, select branches, and fork threads."""

from __future__ import annotations

from agent_core.agent import CallContext
from agent_core.api.base import ApiBase, Prompt, checked_id, known_id, user_of
from agent_core.domain.messages import Message, Thread
from agent_core.store.turns import branches, forks
from agent_core.store.turns.turns import WhenBusy
from agent_core.support.faults import crash_point


class BranchMethods(ApiBase):
    """Methods that return to an earlier message; later messages are kept as a branch."""

    async def edit_message(
        self, thread_id: str, message_id: str, prompt: Prompt, *, ctx: CallContext | None = None
    ) -> Message:
        """Replace a user's message by a new one, and answer that.

        The old message and all messages after it are put aside as a branch, to which `select_branch` returns.
        Queued messages are answered afterwards.

        Args:
            thread_id: an idle thread.
            message_id: a shown message of the role user.
            prompt: a str or a list of parts.

        Returns:
            the new message, which has an id of its own.

        Raises:
            ThreadNotFoundError, ThreadBusyError
            MessageNotFoundError: the thread has no such message.
            ValidationError: the message is not shown, queued or not a user's, or the prompt is invalid.
        """
        await self._authorize(ctx, thread_id)
        new = await self._prompt(ctx, prompt)
        await self.store.writer.run(branches.edit, thread_id, known_id(message_id), new)
        crash_point("send.after")
        return await self._stored(thread_id, new.id)

    async def regenerate(
        self,
        thread_id: str,
        message_id: str,
        *,
        when_busy: WhenBusy = "reject",
        anywhere: bool = False,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Answer again; the old reply and all messages after it are put aside as a branch.

        Pass the reply rather than the user's message: then a second call is rejected, because the first one has
        put the reply aside. A user's message may be answered any number of times.

        Args:
            message_id: a shown reply, or the shown message that was answered.
            when_busy: "reject", "interrupt" or "end_wait", as in `send_message`.
            anywhere: whether the message may be in a branch that is not shown; that branch is shown then.

        Raises:
            ThreadNotFoundError, ThreadBusyError
            MessageNotFoundError: the thread has no such message.
            ValidationError: the message is not shown or queued, or there is nothing to answer.
        """
        await self._authorize(ctx, thread_id)
        await self._prepare_send(thread_id, when_busy, may_queue=False)
        await self.store.writer.run(
            branches.regenerate, thread_id, known_id(message_id), when_busy, anywhere=anywhere
        )
        crash_point("send.after")
        return await self._thread(thread_id)

    async def select_branch(
        self, thread_id: str, message_id: str, *, ctx: CallContext | None = None
    ) -> Thread:
        """Show the branch of a message (one of `Message.branches`) as it was last shown.

        The current branch is put aside from the message at which they part. The thread becomes "completed", or
        "stopped" if the last reply of the selected branch is incomplete: `resume_thread` continues it.

        Args:
            thread_id: an idle thread.
            message_id: any message of the branch. If it is shown, nothing happens.

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
        """Copy a thread up to a message into a new, idle thread; the original may be running and is not changed.

        The copy has the committed content of the shown messages. Partial text becomes history in it, and open
        tool calls have failed.

        Args:
            message_id: the last message that is copied, a shown one.
            new_thread_id: the id of the copy; None: a new id.
            ctx: the caller, who owns the copy; without a user the original's owner does.

        Returns:
            the copy; metadata["forked_from"] has the original's thread_id and message_id.

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
