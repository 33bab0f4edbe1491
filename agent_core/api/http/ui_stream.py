"""A turn as the AI SDK's client reads it: the UI message stream of its reply, from start to finish.

The protocol is that of the npm package `ai`, version 6 (`uiMessageChunkSchema`; SSE whose data are
chunks, then `[DONE]`): https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Its client can take nothing
back, so the text of an attempt that failed stays before that of the next until the page is loaded
again; the transient `data-thread` chunk that tells of the retry comes through, for those who care.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING

from agent_core.agent import CallContext
from agent_core.fold import unfold
from agent_core.messages import Chunk, Message, Update
from agent_core.states import RUNNING
from agent_core.store import attempts

if TYPE_CHECKING:
    from agent_core.api import AgentApi

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
_LATER = "tool-approval-response"  # of version 7; a client of 6 fails at what it does not know


class Turn:
    """The chunks of one turn, as its updates come.

    Args:
        reply: the id of the assistant's message that the client goes on with; None: this begins one.
    """

    def __init__(self, reply: str | None = None) -> None:
        self.status = "" if reply is None else "awaiting_tool_results"
        self._error = ""
        self._reply = reply
        self._started = False

    def take(self, update: Update) -> Iterator[Chunk]:
        """Yield what an update brings, and the end of the turn if that is among it."""
        if update.type == "deleted":
            yield {"type": "error", "errorText": "The thread was deleted."}
            self.status = "deleted"
            return
        if update.type == "snapshot":
            yield from self._snapshot(update)
            return
        for chunk in update.chunks:
            if self.over:  # what follows belongs to the next turn
                return
            yield from self._chunk(chunk, update.message_id)

    @property
    def over(self) -> bool:
        """Whether the last chunk has been given."""
        return bool(self.status) and self.status not in RUNNING

    def _snapshot(self, update: Update) -> Iterator[Chunk]:
        assert update.thread is not None, "a snapshot has its thread"
        self._error = update.thread.error or ""
        reply = reply_of(update.messages)
        if reply is not None:
            yield from self._start(reply.id)
            yield from (chunk for chunk in unfold(reply.parts) if chunk["type"] != _LATER)
        self.status = "streaming"
        for chunk in update.chunks:
            yield from self._chunk(chunk, update.message_id)
        yield from self._now(update.thread.status)

    def _chunk(self, chunk: Chunk, message_id: str | None) -> Iterator[Chunk]:
        kind = chunk["type"]
        if kind in ("data-message", _LATER):
            return
        if message_id is not None:
            yield from self._start(message_id)
        yield {"type": kind, "toolCallId": chunk["toolCallId"]} if kind == "tool-output-denied" else chunk
        if kind == "data-thread":
            self._error = chunk["data"].get("error") or self._error
            yield from self._now(chunk["data"].get("status"))

    def _now(self, status: str | None) -> Iterator[Chunk]:
        """Take in a status; one that ends a turn before this one has begun is the last turn's."""
        if status is None or not (self.status or status in RUNNING):
            return
        self.status = status
        if status == "failed":
            yield {"type": "error", "errorText": self._error or "The turn failed."}
        elif status not in RUNNING:
            yield {"type": "abort"} if status == "stopped" else {"type": "finish"}

    def _start(self, message_id: str) -> Iterator[Chunk]:
        if not self._started:
            self._started = True
            yield {"type": "start", "messageId": self._reply or message_id}


def reply_of(messages: Sequence[Message]) -> Message | None:
    """Return the assistant's message of the newest turn, if it has begun."""
    shown = [message for message in messages if not message.metadata.get("queued")]
    return shown[-1] if shown and shown[-1].role == "assistant" else None


async def ui_stream(
    api: AgentApi, thread_id: str, cursor: int | None, reply: str | None, ctx: CallContext | None
) -> AsyncGenerator[Chunk]:
    """Yield the chunks of a thread's newest turn until it ends, or waits for nobody but people.

    Args:
        api: the API.
        thread_id: the thread.
        cursor: only what follows it; None: the turn from its beginning.
        reply: the id of the assistant's message that the client goes on with, if it has one.
        ctx: who calls.
    """
    turn = Turn(reply)
    if cursor is not None and await rests(api, thread_id, cursor):
        yield {"type": "finish"}
        return
    updates = api.subscribe(thread_id, cursor, ctx=ctx)
    async with contextlib.aclosing(updates):
        async for update in updates:
            if update.type == "snapshot" and cursor is not None:
                return  # this reader has been away for two turns
            for chunk in turn.take(update):
                yield chunk
            if turn.over:
                return
            if turn.status == "awaiting_tool_results" and await rests(api, thread_id, update.cursor):
                yield {"type": "finish"}
                return


async def rests(api: AgentApi, thread_id: str, cursor: int) -> bool:
    """Whether nothing follows `cursor` until a person does something."""
    reads = api.runtime.reads
    if await asyncio.to_thread(reads.read, attempts.busy, thread_id):
        return False
    # Read after the calls: whatever makes one of them run has moved the cursor.
    thread = await asyncio.to_thread(reads.thread, thread_id)
    return thread is None or (thread.cursor <= cursor and thread.status != "streaming")
