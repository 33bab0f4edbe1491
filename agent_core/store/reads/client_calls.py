"""Locate calls of the caller's tools by their ids, and read what the parts of a turn between them have used.

A turn whose caller has tools of its own is answered in parts: a part ends with calls that the caller runs, and the
next one begins when all of them have their outcome.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, col, select

from agent_core.domain.turn_options import CLIENT_CALL
from agent_core.domain.usage import Tally, tally_of
from agent_core.store.database.sql import load
from agent_core.store.database.tables import MessageRow, StreamRow, ThreadRow, ToolCallRow
from agent_core.store.reads.client_messages import Prompt

_MAX_FOUND = 1_000
_ours = col(ToolCallRow.id).startswith(f"{CLIENT_CALL}_", autoescape=True)


@dataclass(frozen=True, slots=True)
class ClientCall:
    """A call of a tool of the caller.

    Attributes:
        prompt: the message whose turn it belongs to.
        part: number of the turn's part that follows the call, at least 1.
    """

    id: str
    prompt: Prompt
    part: int


def find_client_calls(session: Session, ids: Collection[str]) -> list[ClientCall]:
    """Return the calls with these ids; forks copy the ids of their calls, so the oldest thread comes first."""
    rows = session.exec(
        select(ToolCallRow)
        .join(ThreadRow, col(ThreadRow.id) == col(ToolCallRow.thread_id))
        .where(col(ToolCallRow.id).in_(ids), _ours, col(ThreadRow.delete_at).is_(None))
        .order_by(col(ThreadRow.created_at), col(ToolCallRow.seq))
        .limit(_MAX_FOUND)
    )
    found: list[ClientCall] = []
    for row in rows:
        if (prompt := _prompt_of(session, row)) is not None:
            before = sum(seq <= row.seq for seq in _rounds(session, row.thread_id, row.message_id))
            found.append(ClientCall(row.id, prompt, before))
    return found


def _prompt_of(session: Session, call: ToolCallRow) -> Prompt | None:
    reply = session.get(MessageRow, (call.thread_id, call.message_id))
    row = reply and reply.parent_id and session.get(MessageRow, (call.thread_id, reply.parent_id))
    if not row or row.role != "user":
        return None
    return Prompt(row.id, row.thread_id, row.created_at, load(row.meta))


def _rounds(session: Session, thread_id: str, reply_id: str) -> list[int]:
    """Return the steps of a turn that call tools of the caller, in order."""
    mine = (ToolCallRow.thread_id == thread_id, ToolCallRow.message_id == reply_id, _ours)
    return sorted(session.exec(select(ToolCallRow.seq).where(*mine).distinct()))


def usage_of_part(session: Session, thread_id: str, reply_id: str, part: int) -> dict[str, Any]:
    """Return the tokens of one part of a turn, by the names of `Tally`; {} if none are known."""
    rounds = [0, *_rounds(session, thread_id, reply_id)]
    first = rounds[min(part, len(rounds) - 1)]
    last = rounds[part + 1] if part + 1 < len(rounds) else None
    of_reply = (
        StreamRow.thread_id == thread_id,
        StreamRow.message_id == reply_id,
        col(StreamRow.seq) > first,
    )
    found = select(StreamRow.usage).where(*of_reply, col(StreamRow.usage).is_not(None))
    if last is not None:
        found = found.where(col(StreamRow.seq) <= last)
    tallies = [tally_of(load(usage)) for usage in session.exec(found)]
    return sum(tallies, Tally()).to_dict() if tallies else {}
