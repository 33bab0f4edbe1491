"""Add the usage of threads to totals, so that a summary need not read every stream.

A thread's row says up to which stream its usage is counted (`usage_seq`). Workers count the streams after that one
once the thread is idle, so a step's commit writes nothing for it, and streams of a version that knows no totals are
counted, too. A summary adds the streams that are not counted yet. Totals remain when their threads are deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any, NamedTuple

from sqlalchemy import func, or_, select, update

from agent_core.domain.states import IDLE, StreamStatus
from agent_core.domain.usage import COUNTS, Tally, tally_of
from agent_core.store.database.sql import STREAM, THREAD, USAGE, P, Statement, load, one_of, upsert
from agent_core.store.database.transaction import Tx
from agent_core.support.logs import get_logger

_log = get_logger(__name__)

UNKNOWN_MODEL = "unknown"
"""Name for the model of an attempt that ended before its model was stored."""

PERIOD = 900
"""Seconds of one total: every time zone's days begin at a multiple of it."""

_MAX_THREADS = 20  # counted in a transaction
_t, _s, _u = THREAD.c, STREAM.c, USAGE.c
is_request = or_(_s.usage.is_not(None), _s.error.is_not(None), _s.status != StreamStatus.COMMITTED.value)
"""The condition that a stream is a request; a committed one without usage is a fork's copy."""

has_uncounted = _t.usage_seq < _t.seq
"""The condition that a thread may have streams that are not counted, in the words of the index."""

_THREAD = (_t.id, _t.agent, _t.user_id, _t.seq, _t.usage_seq)
_ONE = Statement(select(*_THREAD).where(_t.id == P("thread_id"), has_uncounted))
_NEXT = Statement(
    select(*_THREAD)
    .where(has_uncounted, one_of(_t.status, IDLE))
    .order_by(_t.id)
    .limit(_MAX_THREADS)
    .with_for_update(skip_locked=True)  # another worker counts those, or the thread goes on
)
_STREAMS = Statement(
    select(_s.seq, _s.status, _s.started_at, _s.usage)
    .where(_s.thread_id == P("thread_id"), _s.seq > P("after"), is_request)
    .order_by(_s.seq)
)
_COUNTED = Statement(update(THREAD).where(_t.id == P("thread_id")).values(usage_seq=P("up_to")))
_STARTED = Statement(
    select(_t.agent, _t.user_id, _s.started_at)
    .select_from(THREAD.join(STREAM, _s.thread_id == _t.id))
    .where(_t.id == P("thread_id"), _s.seq == P("at_seq"), _t.usage_seq >= _s.seq)
)
_KEY = ("period", "model", "agent", "user_id")
_SUMS = ("requests", "metered", "estimated", *COUNTS)
_ADD = upsert(
    USAGE,
    {name: P(name) for name in (*_KEY, *_SUMS, "cost")},
    _KEY,
    {
        **{name: _u[name] + P(name) for name in _SUMS},
        "cost": func.coalesce(_u.cost + P("cost"), _u.cost, P("cost")),
    },
)


class _Thread(NamedTuple):
    id: str
    agent: str
    user_id: str | None
    seq: int
    usage_seq: int


class _Stream(NamedTuple):
    seq: int
    status: str
    started_at: float
    usage: str | None


class _Key(NamedTuple):
    period: int
    model: str
    agent: str
    user_id: str


def count_idle(tx: Tx) -> int:
    """Count the usage of some idle threads; return the number of threads."""
    totals: dict[_Key, Tally] = {}
    threads = [_Thread(*row) for row in tx.all(_NEXT)]
    for thread in threads:
        _count(tx, thread, totals, lambda _: True)
    _add(tx, totals)
    return len(threads)


def count(tx: Tx, thread_id: str, *, deleted: bool = False) -> None:
    """Count the usage of a thread whose row is locked, up to its first open stream; if it is `deleted`, all."""
    totals: dict[_Key, Tally] = {}
    row = tx.one(_ONE, thread_id=thread_id)
    if row is not None:
        _count(
            tx,
            _Thread(*row),
            totals,
            lambda stream: deleted or stream.status != StreamStatus.STREAMING.value,
        )
        _add(tx, totals)


def correct(
    tx: Tx, thread_id: str, seq: int, before: Mapping[str, Any] | None, after: Mapping[str, Any]
) -> None:
    """Count the change of a committed stream's usage, if the stream is counted already; its thread is locked."""
    row = tx.one(_STARTED, thread_id=thread_id, at_seq=seq)
    if row is not None:
        agent, user_id, started_at = row
        counted = Tally() if before is None else tally_of(before)
        more = tally_of(after) - counted
        _add(tx, {_key(started_at, after, agent, user_id): more})


def _count(tx: Tx, thread: _Thread, totals: dict[_Key, Tally], is_over: Callable[[_Stream], bool]) -> None:
    streams = [_Stream(*row) for row in tx.all(_STREAMS, thread_id=thread.id, after=thread.usage_seq)]
    over = list(takewhile(is_over, streams))
    for stream in over:
        usage = _usage_of(thread.id, stream)
        key = _key(stream.started_at, usage, thread.agent, thread.user_id)
        totals[key] = totals.get(key, Tally()) + tally_of(usage)
    up_to = thread.seq if len(over) == len(streams) else streams[len(over)].seq - 1
    tx.do(_COUNTED, thread_id=thread.id, up_to=up_to)


def _usage_of(thread_id: str, stream: _Stream) -> dict[str, Any] | None:
    """Return the usage of a stream; None for a damaged one, which must not keep the others from being counted."""
    try:
        return load(stream.usage)
    except ValueError as error:
        _log.warning("Thread %s: the usage of step %d is damaged: %s", thread_id, stream.seq, error)
        return None


def _key(started_at: float, usage: Mapping[str, Any] | None, agent: str, user_id: str | None) -> _Key:
    model = (usage or {}).get("model") or UNKNOWN_MODEL
    return _Key(period_of(started_at), model, agent, user_id or "")


def period_of(moment: float) -> int:
    """Return the beginning of the period of a moment, both in seconds since the epoch."""
    return int(moment // PERIOD) * PERIOD


def _add(tx: Tx, totals: Mapping[_Key, Tally]) -> None:
    for key in sorted(
        totals
    ):  # in one order: two workers that add at once wait for each other, but not for ever
        tally = totals[key]
        sums = {name: getattr(tally, name) for name in _SUMS}
        tx.do(_ADD, **key._asdict(), **sums, cost=tally.cost)
