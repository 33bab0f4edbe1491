"""Put back work of an agent that this process does not know, and show the reason in the thread."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import select, update

from agent_core.domain.states import RUNNING
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.sentences import info_of, sentence
from agent_core.store.database.sql import THREAD, P, Statement, dump, load
from agent_core.store.database.transaction import Tx
from agent_core.store.threads import deltas

_UNKNOWN_AGENT: Final = "unknown_agent"
"""The `kind` in the retry_state of a thread that waits for its agent."""

QUIET: Final = 3.0
"""Seconds before the reason is shown: another process may know the agent and take the work."""

_t = THREAD.c
_LOOK = Statement(
    select(_t.status, _t.agent, _t.updated_at, _t.retry_state)
    .where(_t.id == P("thread_id"))
    .with_for_update()
)
_SHOW = Statement(update(THREAD).where(_t.id == P("thread_id")).values(retry_state=P("new_state")))


class _Thread(NamedTuple):
    status: str
    agent: str
    updated_at: float
    retry_state: str | None


def put_back(tx: Tx, key: WakeUpKey, agent: str, run_at: float) -> bool:
    """Release a wake-up for a process that knows `agent`, and show in the thread that it waits for one.

    A claim or a stop clears that.

    Returns:
        whether the reason was written: once, after the thread has not changed for `QUIET` seconds.
    """
    thread_id = key.thread_id
    row = tx.one(_LOOK, thread_id=thread_id)
    tx.wake.enqueue(tx, key, run_at)
    if row is None:
        return False
    thread = _Thread(*row)
    if thread.status not in RUNNING or thread.agent != agent or tx.now - thread.updated_at < QUIET:
        return False
    known: dict[str, Any] = load(thread.retry_state) or {}
    if (known.get("kind"), known.get("agent")) == (_UNKNOWN_AGENT, agent):
        return False
    words = sentence("agent_unavailable", agent=agent)
    state = {
        **{"kind": _UNKNOWN_AGENT, "agent": agent, "attempt": 0, "max_attempts": 0, "next_at": None},
        **{"error": words, "error_info": info_of(words)},
    }
    tx.do(_SHOW, thread_id=thread_id, new_state=dump(state))
    deltas.append(
        tx,
        thread_id,
        deltas.tick(tx, thread_id),
        [deltas.thread_chunk(status=thread.status, retry_state=state)],
    )
    return True


def is_awaited(tx: Tx, thread_id: str) -> bool:
    """Whether the thread waits for its agent."""
    state: dict[str, Any] = load(_Thread(*tx.must(_LOOK, thread_id=thread_id)).retry_state) or {}
    return state.get("kind") == _UNKNOWN_AGENT


def clear(tx: Tx, thread_id: str, status: str) -> None:
    """Clear the reason that `put_back` has written, because a process knows the agent."""
    tx.do(_SHOW, thread_id=thread_id, new_state=None)
    deltas.append(
        tx, thread_id, deltas.tick(tx, thread_id), [deltas.thread_chunk(status=status, retry_state=None)]
    )
