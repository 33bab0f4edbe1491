"""Work of an agent that no process knows: put back, with the reason where people look."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import select, update

from agent_core.domain.states import RUNNING
from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.sentences import info_of, sentence
from agent_core.store.database.columns import THREAD, P, dump, load
from agent_core.store.database.statement import Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas

UNKNOWN_AGENT: Final = "unknown_agent"
"""The `kind` in the retry_state of a thread that waits for its agent."""

QUIET: Final = 3.0
"""Seconds before the reason is shown: another process may know the agent, and be about to look."""

_t = THREAD.c
_STANDING = Statement(
    select(_t.status, _t.agent, _t.updated_at, _t.retry_state)
    .where(_t.id == P("thread_id"))
    .with_for_update()
)
_SHOW = Statement(update(THREAD).where(_t.id == P("thread_id")).values(retry_state=P("new_state")))


def put_back(tx: Tx, key: WakeUpKey, agent: str, run_at: float) -> bool:
    """Leave a wake-up for a process that knows `agent`, and say in the thread that it waits for one.

    Whoever claims the work clears that; so does a stop.

    Returns:
        whether it was said now: not before the thread has rested for `QUIET` seconds, and only once.
    """
    thread_id = key.thread_id
    row = tx.one(_STANDING, thread_id=thread_id)
    tx.wake.enqueue(tx, key, run_at)
    if row is None or row[0] not in RUNNING or row[1] != agent or tx.now - row[2] < QUIET:
        return False
    known: dict[str, Any] = load(row[3]) or {}
    if (known.get("kind"), known.get("agent")) == (UNKNOWN_AGENT, agent):
        return False
    words = sentence("agent_unavailable", agent=agent)
    state = {
        **{"kind": UNKNOWN_AGENT, "agent": agent, "attempt": 0, "max_attempts": 0, "next_at": None},
        **{"error": words, "error_info": info_of(words)},
    }
    tx.do(_SHOW, thread_id=thread_id, new_state=dump(state))
    deltas.append(
        tx, thread_id, deltas.tick(tx, thread_id), [deltas.thread_chunk(status=row[0], retry_state=state)]
    )
    return True


def is_awaited(tx: Tx, thread_id: str) -> bool:
    """Whether the thread waits for its agent."""
    state: dict[str, Any] = load(tx.must(_STANDING, thread_id=thread_id)[3]) or {}
    return state.get("kind") == UNKNOWN_AGENT


def found(tx: Tx, thread_id: str, status: str) -> None:
    """Clear what `put_back` has said: a process that knows the agent goes on."""
    tx.do(_SHOW, thread_id=thread_id, new_state=None)
    deltas.append(
        tx, thread_id, deltas.tick(tx, thread_id), [deltas.thread_chunk(status=status, retry_state=None)]
    )
