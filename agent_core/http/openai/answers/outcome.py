"""Read the outcome of a turn, or how far it has come."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from agent_core.agent import CallContext
from agent_core.domain.messages import Chunk
from agent_core.http.ai_sdk_stream import Turn, is_resting, ui_stream
from agent_core.http.openai.answers.items import Answer
from agent_core.http.openai.answers.parts import PartFilter
from agent_core.http.openai.errors import RequestError
from agent_core.http.openai.turns import Place
from agent_core.store.reads.client_calls import usage_of_part

if TYPE_CHECKING:
    from agent_core.api import AgentApi

Status = Literal["running", "completed", "failed", "stopped", "waiting", "calls", "replaced"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a turn.

    Attributes:
        status: "waiting": it waits for a person; "calls": for the client, which was asked to call tools; "replaced": its prompt was edited, or is no longer shown.
        error_kind: `ModelErrorKind` of a failed turn, if it is known.
        usage: tokens by the names of `usage.Tally`.
    """

    status: Status
    answer: Answer
    error_kind: str | None = None
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended."""
        return self.status not in ("running", "waiting", "calls")


def stopping() -> RequestError:
    """Return the error for a request that the server can no longer answer because it stops."""
    message = "The server stops; the answer continues. Send the request again, with the same Idempotency-Key."
    return RequestError(message, code="server_stopping", status=503, headers={"retry-after": "1"})


async def wait_for(api: AgentApi, place: Place, ctx: CallContext | None) -> Outcome:
    """Return the outcome of a turn once it ends, or waits only for people.

    Raises:
        RequestError: the server stops.
        AgentCoreError: the thread was deleted, or is no longer the caller's.
    """
    answer = Answer(is_json=place.is_json)
    async with contextlib.aclosing(chunks_of(api, place, ctx)) as chunks:
        async for chunk in chunks:
            answer.take(chunk)
    return await outcome_of(api, place, answer)


async def chunks_of(api: AgentApi, place: Place, ctx: CallContext | None) -> AsyncGenerator[Chunk]:
    """Yield the chunks of an answer until it ends, or waits only for people."""
    part = PartFilter(place.part)
    turn = ui_stream(api, place.thread_id, Turn(prompt=place.message_id), ctx)
    async with contextlib.aclosing(turn) as chunks:
        async for chunk in chunks:
            for one in part.take(chunk):
                yield one
            if part.is_over:
                return


async def outcome_of(api: AgentApi, place: Place, answer: Answer) -> Outcome:
    """Return the outcome of a turn whose stream was read to its end.

    Raises:
        RequestError: the server stops.
    """
    if answer.end is None:
        raise stopping()
    return await _outcome(api, place, answer, _status(answer))


def _status(answer: Answer) -> Status:
    if answer.end == "error":
        return "failed"
    if answer.end == "abort":
        return "stopped"
    if answer.reply_id is None:
        return "replaced"
    if any(item.is_client for item in answer.items):
        return "calls"
    return "completed" if all(item.is_done for item in answer.items) else "waiting"


async def _outcome(api: AgentApi, place: Place, answer: Answer, status: Status) -> Outcome:
    message = thread = None
    if answer.reply_id is not None:
        message = await asyncio.to_thread(api.store.reads.message, place.thread_id, answer.reply_id)
    if status == "failed":
        thread = await api.store.get_thread(place.thread_id)
    kind = thread.error_kind if thread is not None and thread.status == "failed" else None
    usage = (message.usage if message is not None else None) or {}
    if message is not None and (place.part or status == "calls"):
        usage = await api.store.read(usage_of_part, place.thread_id, message.id, place.part)
    return Outcome(status, answer, kind, usage)


async def current(api: AgentApi, place: Place, ctx: CallContext | None) -> Outcome:
    """Return the outcome of a turn, or what of it is known now.

    Raises:
        AgentCoreError: the thread was deleted, or the server stops.
    """
    turn = Turn(prompt=place.message_id)
    while True:
        answer, part, limit = Answer(is_json=place.is_json), PartFilter(place.part), turn.limit
        async with contextlib.aclosing(api.subscribe(place.thread_id, limit=limit, ctx=ctx)) as updates:
            update = await anext(updates, None)
        if update is None:
            raise stopping()
        chunks = list(turn.take(update))
        if turn.status == "awaiting_tool_results" and await is_resting(api, place.thread_id, update.cursor):
            chunks.append({"type": "finish"})
        for one in (one for chunk in chunks for one in part.take(chunk)):
            answer.take(one)
        if answer.end is not None:
            return await _outcome(api, place, answer, _status(answer))
        if turn.limit == limit:  # else the turn is among earlier messages
            return await _outcome(api, place, answer, "running")


async def is_alone(api: AgentApi, place: Place, outcome: Outcome, ctx: CallContext | None) -> bool:
    """Whether a turn has created its thread and is its last one, so that the thread has nothing else."""
    if not place.about.get("begins"):
        return False
    last = await api.list_messages(place.thread_id, limit=1, ctx=ctx)
    return bool(last) and last[0].id in (place.message_id, outcome.answer.reply_id)


async def reply_before(api: AgentApi, place: Place, ctx: CallContext | None) -> str:
    """Return the message that a continuation of a turn follows: its reply, else its prompt."""
    reply_id = (await current(api, place, ctx)).answer.reply_id
    if reply_id is not None and await asyncio.to_thread(api.store.reads.message, place.thread_id, reply_id):
        return reply_id
    return place.message_id
