"""After the clock was set back: moments that were near are far, and nothing may wait for them."""

from __future__ import annotations

from sqlalchemy import update

from agent_core.domain.wake_up_key import WakeUpKind
from agent_core.store.database.columns import WAKE_UP, P
from agent_core.store.database.statement import Statement, one_of
from agent_core.store.database.transaction import Tx
from agent_core.store.schedules import schedules

_LONGEST = 8.0  # seconds that a lease or a wait still has then: a retry may come early, never a day late
_w = WAKE_UP.c
_NEARER = Statement(
    update(WAKE_UP)
    .where(_w.next_run_time > P("until"), one_of(_w.kind, [WakeUpKind.STEP, WakeUpKind.TOOL]))
    .values(next_run_time=P("until"))
)


def after_set_back(tx: Tx) -> int:
    """Shorten what waits; return how many waits were shortened.

    Leases that nobody extends any more end, and retries are made, within seconds; schedules that
    repeat come due by the clock as it is now. Timeouts and what is due once stay at their moment.
    """
    return tx.run(_NEARER, until=tx.now + _LONGEST) + schedules.after_set_back(tx)
