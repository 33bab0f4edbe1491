"""Shorten waits after the clock was set back: their moments are further away than intended."""

from __future__ import annotations

from sqlalchemy import update

from agent_core.domain.wake_up_key import WakeUpKind
from agent_core.store.database.columns import WAKE_UP, P
from agent_core.store.database.statement import Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.schedules import schedules

_MAX_WAIT = 8.0  # seconds of any lease or retry afterwards: a retry may come early, never a day late
_w = WAKE_UP.c
_SHORTEN = Statement(
    update(WAKE_UP)
    .where(_w.next_run_time > P("until"), one_of(_w.kind, [WakeUpKind.STEP, WakeUpKind.TOOL]))
    .values(next_run_time=P("until"))
)


def after_clock_rollback(tx: Tx) -> int:
    """Shorten leases, retries and repeating schedules; return how many.

    Leases that are no longer extended expire, and retries are made, within seconds; repeating schedules come due
    by the new time. Timeouts and schedules that run once keep their moment.
    """
    return tx.run(_SHORTEN, until=tx.now + _MAX_WAIT) + schedules.after_clock_rollback(tx)
