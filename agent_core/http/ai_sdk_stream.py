"""Stream a turn to the AI SDK's client: the UI message stream of its reply, from start to finish.

The protocol is that of the npm package `ai`, versions 6 and 7 (`uiMessageChunkSchema`; SSE whose data are
chunks, then `[DONE]`): https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. Version 7 has `reset-step`, which removes
the content of a lost attempt. Version 6 cannot remove content, so such a stream ends with an error, and its client
resumes from the beginning. A reader that joins in the middle gets uncommitted content as soon as its attempt is
known to continue; content of a lost attempt is not shown, and the next attempt's is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from agent_core.agent import CallContext
from agent_core.domain.end_reasons import END_REASON, ERROR_INFO
from agent_core.domain.messages import TOOL_OUTCOME_STATES, Chunk, Message, Part, Update, is_tool_part
from agent_core.domain.states import RUNNING
from agent_core.http.requests import is_object
from agent_core.store.insight.durability import AttemptLease, attempt_lease
from agent_core.store.tool_calls import attempts
from agent_core.streaming.fold import ABOUT_CALLS, kept, unfold

if TYPE_CHECKING:
    from agent_core.api import AgentApi

HEADERS = {"x-vercel-ai-ui-message-stream": "v1"}
_SINCE_7 = "tool-approval-response"  # a client of version 6 fails on unknown chunks
_ENDS = ("text-end", "reasoning-end")
_MORE_KEYS = {
    "tool-output-denied": ("reason",),
    "tool-output-error": (END_REASON, ERROR_INFO),
}  # of this library
_NEWEST = 30
"""Number of messages that are read to find the turn; if it is not among them, all messages are read."""
_RESETS = 7
"""First version of the AI SDK with `reset-step`."""
_CHECK_INTERVAL = 0.1
"""Seconds between checks whether the attempt with held chunks continues."""
_BEGINS_AGAIN = "The answer broke off and begins again; resume the stream, or load the messages again."
_BEHIND = "This stream has fallen behind; load the messages again."


class Turn:
    """Turns updates of a thread into the chunks of one turn.

    Args:
        prompt: the id of the message that is answered; None: the thread's newest one.
        reply: the assistant's message that the client continues, as the client has it.
        version: major version of the client's AI SDK; None: unknown.
    """

    def __init__(
        self, *, prompt: str | None = None, reply: dict[str, Any] | None = None, version: int | None = None
    ) -> None:
        self.over = False
        self.limit: int | None = _NEWEST
        self._prompt = prompt
        self._known = reply
        self._reply: str | None = None if reply is None else reply["id"]
        self._resets = version is None or version >= _RESETS
        self._holds_back = version is None or version < _RESETS
        self._held: list[Chunk] = []
        self._is_lost = False  # the attempt with held chunks
        self._started = False
        self._waits = True  # until the turn begins
        self._error = ""
        self._seq = 0
        self._is_open = False  # whether uncommitted content of the step was yielded
        self.status = ""

    def take(self, update: Update) -> Iterator[Chunk]:
        """Yield the chunks of an update, and those of the turn's end if it is in the update."""
        if update.type == "deleted":
            yield from self._end({"type": "error", "errorText": "The thread was deleted."})
        elif update.type == "snapshot":
            yield from self._snapshot(update) if self._waits else self._end(_error(_BEHIND))
        else:
            for chunk in update.chunks:
                if self.over:  # later chunks belong to the next turn
                    return
                yield from self._chunk(chunk, update)

    def _end(self, chunk: Chunk) -> Iterator[Chunk]:
        self.over, self._held = True, []
        yield chunk

    # --- the snapshot ---

    def _snapshot(self, update: Update) -> Iterator[Chunk]:
        assert update.thread is not None, "a snapshot has its thread"
        shown = [message for message in update.messages if not message.metadata.get("queued")]
        place = self._place(shown)
        if place is None:
            if self.limit is not None and len(update.messages) >= self.limit:
                self.limit = None  # it may be an earlier message
            elif not any(message.id == self._prompt for message in update.messages):
                yield from self._end({"type": "finish"})  # another turn has replaced it
            return
        self._waits = False
        reply = next((message for message in shown[place:] if message.role == "assistant"), None)
        if reply is not None:
            yield from self._current_chunks(reply)
        if reply is not None and reply is not shown[-1]:
            yield from self._end({"type": "finish"})
            return
        self._error = update.thread.error or ""
        self.status = "streaming"
        chunks = [chunk for first in update.chunks for chunk in self._chunk(first, update)]
        if self._holds_back and update.thread.status == "streaming":
            self._held = [chunk for chunk in chunks if _is_of_step(chunk)]
            chunks = [chunk for chunk in chunks if not _is_of_step(chunk)]
        yield from chunks
        yield from self._set_status(update.thread.status)

    def _place(self, shown: Sequence[Message]) -> int | None:
        """Return the index of the reply, or that of its place; None: it is not among these messages."""
        if self._known is None and self._prompt is None:
            return len(shown) - 1 if shown else None
        for place, message in enumerate(shown):
            if message.id == self._reply:
                return place
            if message.id == self._prompt:
                return place + 1
        return None

    def _current_chunks(self, reply: Message) -> Iterator[Chunk]:
        """Yield the content of a reply that the client lacks: outcomes of calls, and later parts."""
        yield from self._start(reply.id)
        self._seq = reply.committed_seq
        has: list[Any] = self._known["parts"] if self._known else []
        for mine, theirs in zip(reply.parts, has, strict=False):
            if is_tool_part(mine) and mine["state"] in TOOL_OUTCOME_STATES and not _has_outcome(theirs, mine):
                yield from (
                    _plain(chunk) for chunk in unfold([mine]) if chunk["type"].startswith("tool-output")
                )
        yield from (_plain(chunk) for chunk in unfold(reply.parts[len(has) :]) if chunk["type"] != _SINCE_7)

    # --- later updates ---

    def _chunk(self, chunk: Chunk, update: Update) -> Iterator[Chunk]:
        kind = chunk["type"]
        if self._waits:
            self._waits = not (kind == "data-message" and _begins(chunk["data"], self._prompt))
            return
        if kind in ("data-message", _SINCE_7):
            return
        if kind == "data-thread":
            yield chunk
            self._error = chunk["data"].get("error") or self._error
            yield from self._set_status(chunk["data"].get("status"))
        elif update.message_id is None:
            yield chunk
        elif self._reply in (None, update.message_id):
            yield from self._start(update.message_id)
            yield from self._of_reply(chunk, update.seq)

    def _of_reply(self, chunk: Chunk, seq: int) -> Iterator[Chunk]:
        """Yield a chunk of the reply, after a chunk that removes the content of a lost attempt."""
        kind = chunk["type"]
        if self._held and (kind in _ENDS or kind in ABOUT_CALLS):  # these may also end a lost attempt
            self._held.append(_plain(chunk))
            return
        if not _is_content(chunk):
            yield _plain(chunk)
            return
        if seq < self._seq:
            return
        if seq > self._seq:
            self._seq = seq
            if self._held:
                self._held, self._is_open, self._is_lost = [], False, False
            if self._is_open:
                yield from self._retract()
                if kind == "start-step":  # the beginning of the step is kept
                    return
        if self.over:
            return
        if kind == "reset-step":  # text of the step was reasoning
            yield from self._reset_step()
            return
        yield from self._yield_held()
        self._is_open = kind != "finish-step"
        yield chunk

    def _reset_step(self) -> Iterator[Chunk]:
        held, self._held = kept([*self._held, {"type": "reset-step"}]), []
        if not self._is_open or held:
            yield from held
        else:
            yield from self._retract()

    def _retract(self) -> Iterator[Chunk]:
        yield from [{"type": "reset-step"}] if self._resets else self._end(_error(_BEGINS_AGAIN))

    @property
    def held(self) -> int | None:
        """The fence of the attempt with held chunks, if it may continue, else None."""
        return self._seq if self._held and not self._is_lost else None

    def release_held(self, continues: bool | None) -> Iterator[Chunk]:
        """Yield the held chunks if their attempt continues; None: that is unknown.

        Chunks of a lost attempt are held until the next one has content, or the turn ends with them.
        """
        if continues:
            yield from self._yield_held()
        self._is_lost = continues is False

    def _yield_held(self) -> Iterator[Chunk]:
        held, self._held = self._held, []
        yield from held

    def _set_status(self, status: str | None) -> Iterator[Chunk]:
        """Set the status, and yield the end if it ends the turn."""
        if status is None:
            return
        self.status = status
        if status not in RUNNING:
            yield from self._yield_held()
        if status == "failed":
            yield from self._end(_error(self._error or "The turn failed."))
        elif status not in RUNNING:
            yield from self._end({"type": "abort"} if status == "stopped" else {"type": "finish"})

    def _start(self, message_id: str) -> Iterator[Chunk]:
        if not self._started:
            self._started, self._reply = True, message_id
            yield {"type": "start", "messageId": message_id}


def _error(words: str) -> Chunk:
    return {"type": "error", "errorText": words}


def _plain(chunk: Chunk) -> Chunk:
    """Return a chunk without the keys that the client's strict schema rejects."""
    more = _MORE_KEYS.get(chunk["type"], ())
    return {key: value for key, value in chunk.items() if key not in more} if more else chunk


def _is_of_step(chunk: Chunk) -> bool:
    return _is_content(chunk) or chunk["type"] in ABOUT_CALLS


def _is_content(chunk: Chunk) -> bool:
    """Whether a chunk is content of a step, which is lost with its attempt."""
    return chunk["type"] not in ("start", *ABOUT_CALLS) and not chunk.get("transient")


def _has_outcome(theirs: Any, mine: Part) -> bool:
    """Whether the client has this outcome of a call; it may have a second one, which was rejected."""
    return is_object(theirs) and all(
        theirs.get(key) == mine.get(key) for key in ("state", "output", "errorText")
    )


def _begins(message: dict[str, Any], prompt: str | None) -> bool:
    """Whether this message is the prompt, no longer queued."""
    return message.get("id") == prompt and not message["metadata"].get("queued")


async def ui_stream(
    api: AgentApi, thread_id: str, turn: Turn, ctx: CallContext | None
) -> AsyncGenerator[Chunk]:
    """Yield the chunks of a turn until it ends, or waits only for people."""
    watch = AttemptWatch(api.store.process)
    while not turn.over:
        limit = turn.limit
        updates = api.subscribe(thread_id, limit=limit, ctx=ctx)
        async with contextlib.aclosing(_with_checks(updates, turn)) as upcoming:
            async for update in upcoming:
                for chunk in turn.take(update) if update is not None else ():
                    yield chunk
                if (held := turn.held) is not None:
                    lease = await api.store.read(attempt_lease, thread_id, held)
                    for chunk in turn.release_held(watch.continues(held, lease)):
                        yield chunk
                if turn.over or turn.limit != limit:
                    break
                if update is not None and await _pauses(api, thread_id, turn, update.cursor):
                    yield {"type": "finish"}
                    return
            else:  # the runtime closes
                return


class AttemptWatch:
    """Watch of an attempt: it continues if its worker is this process (`here`), or has extended the lease."""

    def __init__(self, here: str) -> None:
        self._here = here
        self._first: dict[tuple[int, str], float] = {}

    def continues(self, seq: int, lease: AttemptLease | None) -> bool | None:
        """Return whether the attempt `seq` continues; None: the next heartbeat decides.

        False is final: the attempt is lost.
        """
        if lease is None:
            return False
        first = self._first.setdefault((seq, lease.worker), lease.until)
        return lease.worker == self._here or lease.until > first or None


async def _with_checks(updates: AsyncGenerator[Update], turn: Turn) -> AsyncGenerator[Update | None]:
    """Yield the updates, and None at intervals while the turn has held chunks."""
    upcoming: asyncio.Future[Update] | None = None
    try:
        while True:
            if upcoming is None and turn.held is None:
                yield await anext(updates)
                continue
            upcoming = upcoming or asyncio.ensure_future(anext(updates))
            await asyncio.wait({upcoming}, timeout=_CHECK_INTERVAL if turn.held is not None else None)
            if upcoming.done():
                update, upcoming = upcoming.result(), None
                yield update
            else:
                yield None
    except StopAsyncIteration:
        return
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        await updates.aclose()


async def _pauses(api: AgentApi, thread_id: str, turn: Turn, cursor: int) -> bool:
    """Whether the turn waits only for people."""
    return turn.status == "awaiting_tool_results" and await is_resting(api, thread_id, cursor)


async def is_resting(api: AgentApi, thread_id: str, cursor: int) -> bool:
    """Whether no update follows `cursor` until a person acts."""
    if await api.store.read(attempts.is_busy, thread_id):
        return False
    # Read after the calls, because everything that starts one of them moves the cursor.
    thread = await api.store.get_thread(thread_id)
    return thread is None or (thread.cursor <= cursor and thread.status != "streaming")
