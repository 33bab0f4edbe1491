"""Read the model steps that are under way: those that hold their fence and their lease."""

from __future__ import annotations

from typing import Any

from sqlalchemy import and_, case, func, literal_column, select

from agent_core.domain.limits import Running, Scope
from agent_core.domain.states import ThreadStatus
from agent_core.domain.wake_ups.wake_up_key import WakeUpKind
from agent_core.store.database.sql import ADMISSION, THREAD, WAKE_UP, P, Statement, one_of
from agent_core.store.database.transaction import Tx

PAUSED, RUNNING, ENDED = "paused", "running", "ended"
"""The statuses of an admission."""

_a, _t, _w = ADMISSION.c, THREAD.c, WAKE_UP.c
is_current = and_(_t.id == _a.thread_id, _t.seq == _a.seq, one_of(_t.status, [ThreadStatus.STREAMING]))
"""The condition that the thread has the fence of an admission."""

is_leased = and_(
    _w.thread_id == _a.thread_id,
    _w.kind == literal_column(f"'{WakeUpKind.STEP.value}'"),
    _w.worker == _a.worker,
)
"""The condition that the worker of an admission holds the step's wake-up."""


def _running(column: Any) -> Statement:
    unpriced = case((_a.usd.is_(None), _a.tokens), else_=0)
    sums = [func.coalesce(func.sum(value), 0) for value in (_a.tokens, _a.usd, unpriced)]
    return Statement(
        select(func.count(), *sums)
        .select_from(ADMISSION)
        .join(THREAD, is_current)
        .join(WAKE_UP, is_leased)
        .where(_a.status == RUNNING, column == P("name"), _a.thread_id != P("thread_id"))
    )


_RUNNING_OF = {"model": _running(_a.model), "user": _running(_a.user_id), "agent": _running(_a.agent)}


def running_of(tx: Tx, scope: Scope, but: str) -> Running:
    """Return the running steps of a scope without those of the thread `but`, whose steps follow each other."""
    if scope.kind == "thread":
        return Running()
    steps, tokens, usd, unpriced = tx.must(_RUNNING_OF[scope.kind], name=scope.name, thread_id=but)
    return Running(steps, int(tokens), float(usd), int(unpriced))
