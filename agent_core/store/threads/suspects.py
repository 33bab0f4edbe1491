"""Store the suspicion against steps and tool calls in their wake-ups.

Nearly all rows have no company and are not suspect; the deletion of a row ends its suspicion.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlmodel import Session

from agent_core.domain.states import CallStatus, StreamStatus
from agent_core.domain.wake_ups.suspects import CrashedWork, Suspect, Suspicion, suspicions_after, take_back
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.store.database.sql import CALL, STREAM, THREAD, WAKE_UP, P, Statement
from agent_core.store.database.transaction import Tx

_w = WAKE_UP.c
_held_by_dead_worker = _w.worker == P("gone")
# In the order of the key, so that two workers that take over from the same one do not deadlock; the second one finds no
# row, because the first has released them.
_STEPS = Statement(
    select(_w.id, _w.company, _w.crashes, _w.idle_deaths, _w.deaths)
    .join(THREAD, THREAD.c.id == _w.thread_id)
    .join(STREAM, (STREAM.c.thread_id == THREAD.c.id) & (STREAM.c.seq == THREAD.c.seq))
    .where(
        _held_by_dead_worker,
        _w.kind == WakeUpKind.STEP.value,
        STREAM.c.status == StreamStatus.STREAMING.value,
        STREAM.c.worker == P("gone"),
    )
    .order_by(_w.id)
    .with_for_update(of=WAKE_UP)
)
_CALLS = Statement(
    select(_w.id, _w.company, _w.crashes, _w.idle_deaths, _w.deaths)
    .join(CALL, (CALL.c.thread_id == _w.thread_id) & (CALL.c.id == _w.call_id))
    .where(
        _held_by_dead_worker,
        _w.kind == WakeUpKind.TOOL.value,
        CALL.c.status == CallStatus.RUNNING.value,
        CALL.c.worker == P("gone"),
    )
    .order_by(_w.id)
    .with_for_update(of=WAKE_UP)
)
_SUSPECT = Statement(
    update(WAKE_UP)
    .where(_w.id == P("key"))
    .values(
        company=P("new_company"),
        crashes=P("new_crashes"),
        death=P("new_death"),
        idle_deaths=P("new_idle_deaths"),
        deaths=P("new_deaths"),
    )
)
_READ = Statement(
    select(_w.company, _w.crashes, _w.death, _w.idle_deaths, _w.deaths).where(_w.id == P("key"))
)
_CHARGED_LAST = Statement(
    select(_w.id, _w.crashes, _w.idle_deaths)
    .where(_w.company.is_not(None), _w.crashes > 0, _w.death == P("gone"))
    .order_by(_w.id)
    .with_for_update()
)
_TAKE_BACK = Statement(
    update(WAKE_UP)
    .where(_w.id == P("key"))
    .values(crashes=P("new_crashes"), idle_deaths=P("new_idle_deaths"))
)
_of_other_deaths = (
    _w.company >= P("at_company"),
    _w.crashes == 0,
    _w.death != P("of_death"),
    _w.worker.is_(None),
)
_charged = _w.crashes > 0, _w.company.is_not(None)


def _unlocked(*where: Any) -> Any:
    """Build the choice of rows that no other transaction has locked; the others can wait for the next time."""
    return _w.id.in_(select(_w.id).where(*where).order_by(_w.id).with_for_update(skip_locked=True))


_RAISE_COMPANY = Statement(update(WAKE_UP).where(_unlocked(*_of_other_deaths)).values(company=_w.company + 1))
_CLEAR_CHARGES = Statement(update(WAKE_UP).where(_unlocked(*_charged)).values(crashes=0, idle_deaths=0))
_REDUCE_CHARGES = Statement(
    update(WAKE_UP).where(_unlocked(*_charged, _w.id != P("key"))).values(crashes=_w.crashes - 1)
)
_ALL = select(_w.id, _w.company, _w.crashes, _w.worker, _w.next_run_time, _w.deaths).where(
    _w.company.is_not(None)
)


class _HeldRow(NamedTuple):
    id: str
    company: int | None
    crashes: int
    idle_deaths: int
    deaths: int


def judge(tx: Tx, worker: str, executed: Callable[[str], bool] | None) -> int:
    """Suspect the work that ran in a dead worker; return how much. The caller releases its leases."""
    rows = [_HeldRow(*row) for statement in (_STEPS, _CALLS) for row in tx.all(statement, gone=worker)]
    ran = [
        CrashedWork(
            WakeUpKey.parse(row.id),
            row.company,
            row.crashes,
            row.idle_deaths,
            executed=executed is None or executed(row.id),
            deaths=row.deaths,
        )
        for row in rows
    ]
    for key, held in suspicions_after(ran, worker).items():
        tx.do(_SUSPECT, key=str(key), **{f"new_{name}": value for name, value in held._asdict().items()})
    return len(ran)


def testify(tx: Tx, worker: str, executed: Callable[[str], bool]) -> None:
    """Take back charges for the death of a worker whose lock file shows that the work only waited.

    Another machine noticed the death first, without that file.
    """
    for key, crashes, idle_deaths in tx.all(_CHARGED_LAST, gone=worker):
        if not executed(key):
            crashes, idle_deaths = take_back(crashes, idle_deaths)
            tx.do(_TAKE_BACK, key=key, new_crashes=crashes, new_idle_deaths=idle_deaths)


def read(tx: Tx, key: WakeUpKey) -> Suspicion:
    """Return the suspicion against the work of a wake-up that has a company."""
    return Suspicion(*tx.must(_READ, key=str(key)))


def after_completion(tx: Tx, was: Suspicion | None) -> None:
    """Raise the company of suspects of other deaths, because one suspect has completed.

    Not of suspects of the same death or of a smaller company, among which the culprit still is. If the completed one
    had been charged, its deaths came from outside, and so may those of all others that are charged.
    """
    if was is None:
        return
    tx.do(_RAISE_COMPANY, at_company=was.company, of_death=was.death)
    if was.crashes:
        tx.do(_CLEAR_CHARGES)


def after_seal(tx: Tx, key: WakeUpKey) -> None:
    """Take one charge off the others: sealed work may have caused their deaths before it was suspect."""
    tx.do(_REDUCE_CHARGES, key=str(key))


def found(session: Session) -> list[Suspect]:
    """Return every suspect."""
    rows = session.connection().execute(_ALL)
    return [Suspect(WakeUpKey.parse(key), *held) for key, *held in rows]
