"""Store which workers live, and read how the work is shared between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import bindparam, case, delete, exists, func, select
from sqlmodel import Session

from agent_core.domain.wake_ups.fair_share import Load
from agent_core.domain.wake_ups.wake_up_key import WakeUpKind
from agent_core.store.database.sql import WAKE_UP, WORKER, P, Statement, dump, load, one_of, upsert
from agent_core.store.database.transaction import Tx

_PATIENCE = 2.0
"""Seconds for which due work is left to the workers whose share it is; then any worker takes it."""

_w, _r = WAKE_UP.c, WORKER.c
_columns = ("name", "host", "started_at", "seen_at", "steps", "tools", "agents", "engine")
_ANNOUNCE = upsert(
    WORKER,
    {name: P(name) for name in _columns},
    ["name"],
    {name: P(name) for name in ("seen_at", "steps", "tools", "agents", "engine")},
)
_FORGET = Statement(delete(WORKER).where(_r.name == P("gone")))
# Two workers that tidy at once would wait for each other in different orders.
_holds = exists(select(_w.id).where(_w.worker == _r.name))
_dead = select(_r.name).where(_r.seen_at <= P("before"), ~_holds).with_for_update(skip_locked=True)
_TIDY = Statement(delete(WORKER).where(_r.name.in_(_dead)))
# Each process holds a shared lock in its sessions of a server, which ends them when the process dies. Whoever gets
# the lock alone knows that no session is left. https://www.postgresql.org/docs/current/explicit-locking.html
_ABSENT = select(_r.name, func.pg_try_advisory_xact_lock(func.hashtextextended(_r.name, 0)))
_IS_ABSENT = Statement(select(func.pg_try_advisory_xact_lock(func.hashtextextended(P("gone"), 0))))
_SEEN = Statement(select(_r.name).where(_r.name == P("gone")))

_work = one_of(_w.kind, [WakeUpKind.STEP, WakeUpKind.TOOL])
_is_step = _w.kind == WakeUpKind.STEP.value
_LIVING = select(_r.name, _r.steps, _r.tools, _r.agents).where(_r.seen_at > bindparam("since"))
HELD = (
    select(
        _w.worker, func.count(_w.thread_id.distinct()), func.sum(case((_is_step, 1), else_=0)), func.count()
    )
    .where(_w.worker.is_not(None), _work)
    .group_by(_w.worker)
)
_is_suspect = _w.company.is_not(None)
_is_overdue = _w.next_run_time <= bindparam("overdue")
_DUE = (
    select(_w.kind, _is_suspect, func.count(), func.sum(case((_is_overdue, 1), else_=0)))
    .where(_w.worker.is_(None), _work, _w.next_run_time <= bindparam("now"))
    .group_by(_w.kind, _is_suspect)
)


class WorkerInfo(NamedTuple):
    """What a worker announces of itself; see `WorkerRow`."""

    name: str
    host: str
    started_at: float
    steps: int
    tools: int | None
    agents: Sequence[str]
    engine: str | None = None


class Held(NamedTuple):
    """The leases of a worker: the number of threads, and of their steps and tools."""

    threads: int = 0
    steps: int = 0
    tools: int = 0


class Due(NamedTuple):
    """The number of wake-ups that are due and free, and of those that have been left for long."""

    wake_ups: int = 0
    overdue: int = 0


class Peer(NamedTuple):
    """Another worker that lives, with its places and its leases."""

    steps: int
    tools: int | None
    held: Held

    def load(self, kind: str) -> Load:
        """Return its load, with its room for "step", "tool" or "work" of both kinds."""
        if self.tools is None:
            room = self.steps - self.held.steps - self.held.tools
        elif kind == WakeUpKind.TOOL:
            room = self.tools - self.held.tools
        else:
            room = self.steps - self.held.steps
        return Load(self.held.threads, max(0, room))


class Fleet(NamedTuple):
    """The workers that live, as one of them sees them.

    Attributes:
        held: number of threads of which this worker holds leases.
        peers: the other workers that know every agent that this one knows.
        due: free wake-ups that are due, by kind and by whether they are suspects.
    """

    held: int = 0
    peers: Sequence[Peer] = ()
    due: Mapping[tuple[str, bool], Due] = {}

    def due_of(self, kind: str, *, suspect: bool = False) -> Due:
        """Return the due work of "step", "tool" or "work" of both kinds."""
        kinds = (WakeUpKind.STEP, WakeUpKind.TOOL) if kind == "work" else (kind,)
        found = [self.due.get((each, suspect), Due()) for each in kinds]
        return Due(sum(each.wake_ups for each in found), sum(each.overdue for each in found))


def announce(tx: Tx, worker: WorkerInfo) -> None:
    """Write that a worker lives."""
    values: dict[str, Any] = worker._asdict() | {"agents": dump(sorted(worker.agents))}
    tx.do(_ANNOUNCE, **values, seen_at=tx.now)


def forget(tx: Tx, name: str) -> None:
    """Delete the row of a worker that has closed or died."""
    tx.do(_FORGET, gone=name)


def presence(session: Session) -> dict[str, bool]:
    """Return for each worker whether it has a session of the server; PostgreSQL only."""
    return {name: not absent for name, absent in session.connection().execute(_ABSENT)}


def is_absent(tx: Tx, name: str) -> bool:
    """Whether a worker has no session of the server, and gets none before this transaction ends."""
    row = tx.one(_IS_ABSENT, gone=name)
    return row is not None and bool(row[0])


def has_left(tx: Tx, name: str) -> bool:
    """Whether a worker takes no more work, because it was about to close."""
    return tx.one(_SEEN, gone=name) is None


def tidy(tx: Tx, lease: float) -> None:
    """Delete the rows of workers that were not seen for longer than a lease and hold none."""
    tx.do(_TIDY, before=tx.now - lease)


def fleet(
    session: Session, name: str, agents: Sequence[str], now: float, lease: float, delay: float
) -> Fleet:
    """Return the workers that live, as the worker `name`, which knows `agents`, sees them.

    Args:
        lease: seconds after its last heartbeat for which a worker counts as living.
        delay: seconds for which due work is left to an engine.
    """
    connection = session.connection()
    living = {
        row.name: row
        for row in connection.execute(_LIVING, {"since": now - lease})
        if row.name != name and set(agents) <= set(load(row.agents))
    }
    if not living:
        return Fleet()
    held = {
        worker: Held(threads, steps, rows - steps)
        for worker, threads, steps, rows in connection.execute(HELD)
    }
    moments = {"now": now, "overdue": now - delay - _PATIENCE}
    due = {
        (kind, bool(suspect)): Due(wake_ups, overdue)
        for kind, suspect, wake_ups, overdue in connection.execute(_DUE, moments)
    }
    peers = [Peer(row.steps, row.tools, held.get(row.name, Held())) for row in living.values()]
    return Fleet(held.get(name, Held()).threads, peers, due)
