"""The API that pages and programs call: one method per thing that can be done with a thread.

Every method is one transaction or one consistent read. Methods that touch an existing thread first
ask the `authorization_callback`, if there is one.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from agent_core.agent import Agent, AnyAgent, CallContext
from agent_core.errors import ThreadNotFoundError, ValidationError
from agent_core.faults import crash_point
from agent_core.ids import new_id
from agent_core.messages import Message, Part, Thread, Update, message_parts, prompt_parts
from agent_core.runtime import Runtime
from agent_core.states import RUNNING
from agent_core.store import approvals, calls, turns
from agent_core.store.rows import LIST_FEED, idle_feed
from agent_core.store.turns import NewMessage, WhenBusy
from agent_core.tools import encode_result, parse_arguments

Prompt = str | Sequence[Part]
Authorize = Callable[[CallContext | None, str], Any]
StatusHook = Callable[[str, str, str], Any]


class AgentApi:
    """The methods of one agent's threads; made by `define_agent_api`."""

    def __init__(
        self,
        runtime: Runtime,
        agent: AnyAgent,
        authorize: Authorize | None,
        exclude_system_messages: bool,
    ) -> None:
        self.runtime = runtime
        self.agent = agent
        self._authorize_with = authorize
        self._exclude_system = exclude_system_messages

    # --- threads ---

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
        ctx: CallContext | None = None,
    ) -> Thread:
        """Create a thread; it runs at once if a prompt is given or `auto_start` is true.

        Args:
            prompt: the first message, a str or a list of parts.
            messages: earlier messages, dicts with role, parts (or content) and perhaps id, metadata.
            auto_start: run (or not) whatever is given.
            title: shown in lists; without one it is taken from the first message.
            metadata: plain JSON of the application's own.
            thread_id, message_id: ids to use instead of new ones, so that a page can name them first.
            ctx: who calls; the thread becomes theirs.

        Raises:
            ValidationError: the prompt is blank or a message is not acceptable; nothing was created.
        """
        new = [_new_message(message) for message in messages or ()]
        if prompt is not None:
            new.append(NewMessage(message_id or new_id("msg"), "user", prompt_parts(prompt), {}))
        run = auto_start if auto_start is not None else prompt is not None
        if run and not new:
            raise ValidationError("auto_start needs a prompt or messages to answer.")
        thread_id = thread_id or new_id("thread")
        await self.runtime.writer.run(
            turns.create,
            thread_id,
            agent=self.agent.name,
            title=title,
            user_id=ctx.user_id if ctx else None,
            metadata=metadata or {},
            messages=new,
            run=run,
        )
        crash_point("send.after")
        return await self._thread(thread_id)

    async def get_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread | None:
        """Return a thread, or None if there is none with this id."""
        await self._authorize(ctx, thread_id)
        return await asyncio.to_thread(self.runtime.reads.thread, thread_id)

    async def list_threads(
        self,
        limit: int = 100,
        *,
        cursor: str | None = None,
        query: str | None = None,
        archived: bool = False,
        user_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> list[Thread]:
        """Return threads, newest activity first.

        Args:
            limit: how many at the most, from 1.
            cursor: the id of the last thread of the page before.
            query: words that the title contains.
            archived: the archived ones instead of the others.
            user_id: only this person's; without it those of `ctx`'s user, if there is one.
            ctx: who calls.
        """
        if limit < 1:
            raise ValidationError("limit must be at least 1.")
        owner = user_id if user_id is not None else (ctx.user_id if ctx else None)
        return await asyncio.to_thread(self.runtime.reads.threads, limit, cursor, query, archived, owner)

    async def update_thread(
        self,
        thread_id: str,
        *,
        title: str | None = None,
        pinned: bool | None = None,
        archived: bool | None = None,
        metadata: dict[str, Any] | None = None,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Change what a person may change of a thread; what is None stays.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        given = {"title": title, "pinned": pinned, "archived": archived, "meta": metadata}
        values = {name: value for name, value in given.items() if value is not None}
        if values:
            await self.runtime.writer.run(turns.change, thread_id, **values)
        return await self._thread(thread_id)

    async def delete_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> None:
        """Delete a thread with everything that belongs to it, also while it runs.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.runtime.writer.run(turns.remove, thread_id)

    # --- turns ---

    async def send_message(
        self,
        thread_id: str,
        prompt: Prompt,
        *,
        message_id: str | None = None,
        when_busy: WhenBusy = "reject",
        ctx: CallContext | None = None,
    ) -> Message:
        """Store a person's message and run the thread.

        Args:
            thread_id: the thread.
            prompt: a str or a list of parts.
            message_id: the idempotency key: sent twice, it is one message and one run.
            when_busy: while the thread is running, "reject", "queue" (answered when the turn ends)
                or "interrupt" (stop, then send).
            ctx: who calls.

        Raises:
            ValidationError: the prompt is blank, too long or not made of acceptable parts.
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: the thread is running and `when_busy` is "reject".
        """
        await self._authorize(ctx, thread_id)
        if when_busy not in ("reject", "queue", "interrupt"):
            raise ValidationError('when_busy must be "reject", "queue" or "interrupt".')
        new = NewMessage(message_id or new_id("msg"), "user", prompt_parts(prompt), {})
        stored = await self.runtime.writer.run(turns.send, thread_id, new, when_busy)
        crash_point("send.after")
        return await self._stored(thread_id, new, stored)

    async def add_message(
        self, thread_id: str, message: dict[str, Any], *, ctx: CallContext | None = None
    ) -> Message:
        """Store a message without running the thread.

        Args:
            thread_id: the thread.
            message: a dict with role, parts (or content), and perhaps id and metadata.
            ctx: who calls.

        Raises:
            ValidationError, ThreadNotFoundError, ThreadBusyError, DuplicateMessageError
        """
        await self._authorize(ctx, thread_id)
        new = _new_message(message)
        stored = await self.runtime.writer.run(turns.add, thread_id, new)
        return await self._stored(thread_id, new, stored)

    async def resume_thread(
        self, thread_id: str, prompt: Prompt | None = None, *, ctx: CallContext | None = None
    ) -> Thread:
        """Run the interrupted step of a failed or stopped thread again.

        Without a prompt its partial text is replaced at the first new token; with one the partial
        text stays as history and the prompt follows it. A thread that ends with a finished reply
        stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
            ThreadBusyError: it is running.
            ValidationError: the prompt is not acceptable.
        """
        await self._authorize(ctx, thread_id)
        new = None if prompt is None else NewMessage(new_id("msg"), "user", prompt_parts(prompt), {})
        await self.runtime.writer.run(turns.resume, thread_id, new)
        return await self._thread(thread_id)

    async def stop_thread(self, thread_id: str, *, ctx: CallContext | None = None) -> Thread:
        """Stop a thread at once; its partial text is kept. An idle thread stays as it is.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        await self._authorize(ctx, thread_id)
        await self.runtime.writer.run(turns.stop, thread_id)
        return await self._thread(thread_id)

    async def wait_until_idle(
        self,
        thread_id: str,
        timeout: float | None = None,  # noqa: ASYNC109  # part of the contract
        *,
        ctx: CallContext | None = None,
    ) -> Thread:
        """Wait until a thread is not running and return it.

        Raises:
            ThreadNotFoundError: there is no such thread, or it is deleted meanwhile.
            TimeoutError: it still runs after `timeout` seconds.
        """
        await self._authorize(ctx, thread_id)
        name = idle_feed(thread_id)
        feed = self.runtime.feeds.open(name)
        try:
            async with asyncio.timeout(timeout):
                while True:
                    feed.clear()
                    thread = await self._thread(thread_id)
                    if thread.status not in RUNNING:
                        return thread
                    await feed.wait()
        finally:
            self.runtime.feeds.leave(name, feed)

    # --- reading ---

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
        the thread.

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
        feed = self.runtime.feeds.open(thread_id)
        try:
            while not self.runtime.feeds.closed:
                feed.clear()
                updates = await asyncio.to_thread(self._next, thread_id, cursor, limit)
                for update in updates:
                    yield update
                    if update.type == "deleted":
                        return
                    cursor = update.cursor
                if not updates:
                    await feed.wait()
        finally:
            self.runtime.feeds.leave(thread_id, feed)

    def _next(self, thread_id: str, cursor: int | None, limit: int | None) -> list[Update]:
        updates = None if cursor is None else self.runtime.reads.updates(thread_id, cursor)
        if updates is not None:
            return updates
        snapshot = self.runtime.reads.snapshot(thread_id, limit)
        if snapshot is None:
            return [Update(type="deleted", cursor=cursor or 0)]
        return [_replace_messages(snapshot, self._shown(snapshot.messages))]

    async def changes(self) -> AsyncGenerator[None]:
        """Yield at once, and again whenever any thread may have changed; for lists of threads."""
        feed = self.runtime.feeds.open(LIST_FEED)
        try:
            while not self.runtime.feeds.closed:
                feed.clear()
                yield
                await feed.wait()
        finally:
            self.runtime.feeds.leave(LIST_FEED, feed)

    # --- tools ---

    async def add_tool_result(
        self, tool_call_id: str, result: Any, *, thread_id: str | None = None, ctx: CallContext | None = None
    ) -> None:
        """Bring the outcome of an async tool call.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError, AmbiguousToolCallError
            ValidationError: the result is not JSON, or too long.
        """
        await self._outcome(ctx, tool_call_id, thread_id, encode_result(result), None)

    async def add_tool_error(
        self, tool_call_id: str, error: str, *, thread_id: str | None = None, ctx: CallContext | None = None
    ) -> None:
        """Bring the failure of an async tool call.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError, AmbiguousToolCallError
        """
        await self._outcome(ctx, tool_call_id, thread_id, None, error or "The tool failed.")

    async def _outcome(
        self,
        ctx: CallContext | None,
        call_id: str,
        thread_id: str | None,
        output: str | None,
        error: str | None,
    ) -> None:
        thread_id = await self.runtime.writer.run(calls.locate, call_id, thread_id)
        await self._authorize(ctx, thread_id)
        await self.runtime.writer.run(calls.finish_from_outside, call_id, thread_id, output, error)

    async def approve_tool_calls(
        self,
        thread_id: str,
        ids: Sequence[str],
        *,
        args: dict[str, dict[str, Any]] | None = None,
        ctx: CallContext | None = None,
    ) -> None:
        """Let tool calls run that wait for a person's yes; all of them or none.

        Args:
            thread_id: the thread.
            ids: the calls.
            args: edited arguments by call id; the others run exactly as they were shown.
            ctx: who calls.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError
            ValidationError: edited arguments do not fit the tool.
        """
        await self._authorize(ctx, thread_id)
        edited = {
            call_id: await self._fit(thread_id, call_id, given) for call_id, given in (args or {}).items()
        }
        await self.runtime.writer.run(
            approvals.decide, thread_id, ids, approved=True, reason=None, args=edited
        )

    async def _fit(self, thread_id: str, call_id: str, given: dict[str, Any]) -> dict[str, Any]:
        call = await asyncio.to_thread(self.runtime.reads.call, thread_id, call_id)
        agent = await self.agent.resolve(None, thread_id)
        tool = agent.tools.get(call.name) if call else None
        return parse_arguments(tool, given) if tool else given

    async def deny_tool_calls(
        self,
        thread_id: str,
        ids: Sequence[str],
        reason: str | None = None,
        *,
        ctx: CallContext | None = None,
    ) -> None:
        """Refuse tool calls that wait for a person's yes; all of them or none.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError
        """
        await self._authorize(ctx, thread_id)
        await self.runtime.writer.run(
            approvals.decide, thread_id, ids, approved=False, reason=reason, args=None
        )

    # --- shared ---

    async def _authorize(self, ctx: CallContext | None, thread_id: str) -> None:
        if self._authorize_with is not None:
            answer = self._authorize_with(ctx, thread_id)
            if inspect.isawaitable(answer):
                await answer

    async def _thread(self, thread_id: str) -> Thread:
        thread = await asyncio.to_thread(self.runtime.reads.thread, thread_id)
        if thread is None:
            raise ThreadNotFoundError(f"There is no thread {thread_id!r}; it may have been deleted.")
        return thread

    async def _stored(self, thread_id: str, new: NewMessage, stored: float | None) -> Message:
        if stored is None:
            found = await asyncio.to_thread(self.runtime.reads.message, thread_id, new.id)
            if found is not None:
                return found
            raise ThreadNotFoundError(f"There is no thread {thread_id!r}; it may have been deleted.")
        return new.stored(thread_id, stored)

    def _shown(self, messages: Sequence[Message]) -> list[Message]:
        return [message for message in messages if not (self._exclude_system and message.role == "system")]


def _replace_messages(snapshot: Update, messages: list[Message]) -> Update:
    return Update(
        type=snapshot.type,
        cursor=snapshot.cursor,
        thread=snapshot.thread,
        messages=tuple(messages),
        seq=snapshot.seq,
        message_id=snapshot.message_id,
        chunks=snapshot.chunks,
    )


def _new_message(message: dict[str, Any]) -> NewMessage:
    role = message.get("role")
    if role not in ("user", "assistant", "system"):
        raise ValidationError(f"A message's role is user, assistant or system, not {role!r}.")
    given = message.get("parts")
    if given is None:
        given = [{"type": "text", "text": message.get("content")}]
    return NewMessage(
        message.get("id") or new_id("msg"), role, message_parts(role, given), message.get("metadata") or {}
    )


def define_internal_agent_api(
    runtime: Runtime, agent: Agent | AnyAgent, *, on_status_change: StatusHook | None = None
) -> AgentApi:
    """Give the methods to code of one's own: no authorization, system messages included."""
    runtime.register(agent, on_status_change)
    return AgentApi(runtime, agent, None, exclude_system_messages=False)


def define_agent_api(
    runtime: Runtime,
    agent: AnyAgent,
    authorization_callback: Authorize | None = None,
    on_status_change: StatusHook | None = None,
    exclude_system_messages: bool = True,
) -> AgentApi:
    """Make an agent known to a runtime and give its methods to pages.

    Args:
        runtime: where its threads run.
        agent: the agent, or a factory of it.
        authorization_callback: `(ctx, thread_id)`, sync or async, before every method that touches
            an existing thread; it raises (AccessDeniedError) to deny.
        on_status_change: `(thread_id, status, previous_status)` after each change.
        exclude_system_messages: whether readers get the thread without its system messages.
    """
    runtime.register(agent, on_status_change)
    return AgentApi(runtime, agent, authorization_callback, exclude_system_messages)
