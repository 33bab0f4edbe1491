"""Count what steps have used, by scope and period; the rows hold the newest window only.

A counter is made when it is first needed, from the usage in the rows of the streams.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import ColumnElement, Double, case, cast, exists, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import JSON

from agent_core.domain.limits import Period, Scope, Used, Window, window_of
from agent_core.store.database.sql import ADMISSION, COUNTER, STREAM, THREAD, P, Statement, upsert
from agent_core.store.database.transaction import Tx
from agent_core.store.limits.rules import Rule, Subject

_c, _s, _t, _a = COUNTER.c, STREAM.c, THREAD.c, ADMISSION.c
_KEY = ("kind", "name", "period")
_this = [_c[name] == P(name) for name in _KEY]
_READ = Statement(select(_c.window_key, _c.requests, _c.tokens, _c.usd).where(*_this))


def _growth(is_later: Any) -> dict[str, Any]:
    """Build the new values: added up in the same window, begun anew in a later one, unchanged by an earlier one."""

    def grown(name: str) -> ColumnElement[Any]:
        more: Any = P(f"more_{name}")
        return case((_c.window_key == P("new_window"), _c[name] + more), (is_later, more), else_=_c[name])

    return {
        **{name: grown(name) for name in ("requests", "tokens", "usd")},
        "window_key": case((is_later, P("new_window")), else_=_c.window_key),
    }


_grow = _growth(_c.window_key < P("new_window"))
# A clock that was ahead has left a window of the future, which must not lift a limit until it comes.
_grow_from_any = _growth(or_(_c.window_key < P("new_window"), _c.window_key > P("next_window")))
_other_turn = _c.window_key != P("new_window")  # hosts with different clocks make ids that do not sort
_values: dict[str, Any] = {
    **{name: P(name) for name in _KEY},
    "window_key": P("new_window"),
    **{name: P(f"more_{name}") for name in ("requests", "tokens", "usd")},
}
_ADD = Statement(update(COUNTER).where(*_this).values(**_grow))
_ADD_TO_TURN = Statement(update(COUNTER).where(*_this).values(**_growth(_other_turn)))
_COUNT = upsert(COUNTER, _values, _KEY, _grow_from_any)
_BEGIN_AGAIN = Statement(
    update(COUNTER)
    .where(*_this)
    .values(window_key=P("new_window"), **{n: P(f"more_{n}") for n in ("requests", "tokens", "usd")})
)
_MAKE = Statement(insert(COUNTER).values(**_values))


def _sum(*where: Any) -> Statement:
    """Build the sum of the usage of streams, without those whose end is still to be counted."""
    uncounted = exists(select(_a.seq).where(_a.thread_id == _s.thread_id, _a.seq == _s.seq))
    rows = select(*_sums(sqlite=True)), select(*_sums(sqlite=False))
    sqlite, postgresql = (
        row.select_from(STREAM).join(THREAD, _t.id == _s.thread_id).where(~uncounted, *where) for row in rows
    )
    return Statement(sqlite, postgresql=postgresql)


def _sums(*, sqlite: bool) -> list[ColumnElement[Any]]:
    return [
        func.coalesce(func.sum(cast(_field(name, sqlite), Double)), 0.0) for name in ("total_tokens", "cost")
    ]


def _field(name: str, sqlite: bool) -> ColumnElement[Any]:
    return func.json_extract(_s.usage, f"$.{name}") if sqlite else cast(_s.usage, JSON)[name].astext


_since = (_s.usage.is_not(None), _s.started_at >= P("since"))
_SUM = {
    "user": _sum(func.coalesce(_t.user_id, "") == P("name"), *_since),
    "agent": _sum(_t.agent == P("name"), *_since),
    "thread": _sum(_s.thread_id == P("name"), *_since),
}
_SUM_OF_TURN = _sum(_s.thread_id == P("name"), _s.message_id == P("turn"), _s.usage.is_not(None))


def counted_in(rule: Rule, subject: Subject) -> Scope:
    """Return the scope whose counter a budget reads for a step: the thread's for a turn."""
    return subject.scope("thread" if rule.budget.per == "turn" else rule.scope.kind)


def used_by(tx: Tx, rule: Rule, subject: Subject) -> Used:
    """Return what has been used of a budget in its current window; make its counter if there is none.

    The rows say it if the counter has another turn's usage, or that of a later window: the clock was ahead.
    """
    period = rule.budget.per
    window = window_of(period, tx.now, subject.turn)
    scope = counted_in(rule, subject)
    row = tx.one(_READ, **_key(scope, period))
    if row is None:
        return _make(tx, scope, period, window)
    key, *used = row
    if key == window.key:
        return _used(used)
    if period != "turn":
        return Used() if key < window.key else _of_rows(tx, scope, period, window)
    of_turn = _of_rows(tx, scope, period, window)
    if of_turn != Used():  # an older turn was resumed
        tx.do(_BEGIN_AGAIN, **_key(scope, period), **_more(window, of_turn))
    return of_turn


def used_of_model(tx: Tx, model: str) -> Used:
    """Return the requests and tokens of a model in this minute."""
    row = tx.one(_READ, **_key(Scope("model", model), "minute"))
    if row is None or row[0] != window_of("minute", tx.now).key:
        return Used()
    return _used(row[1:])


def add(tx: Tx, rule: Rule, subject: Subject, at: float, used: Used) -> None:
    """Count a step that ended at `at`, if the budget has a counter; one that is made later includes the step."""
    period = rule.budget.per
    window = window_of(period, at, subject.turn)
    tx.do(
        _ADD_TO_TURN if period == "turn" else _ADD,
        **_key(counted_in(rule, subject), period),
        **_more(window, used),
    )


def add_to_model(tx: Tx, model: str, at: float, used: Used) -> None:
    """Count a request of a model, or its tokens."""
    window = window_of("minute", at)
    following = window_of("minute", at + 60.0).key
    tx.do(_COUNT, **_key(Scope("model", model), "minute"), **_more(window, used), next_window=following)


def _make(tx: Tx, scope: Scope, period: Period, window: Window) -> Used:
    used = _of_rows(tx, scope, period, window)
    tx.do(_MAKE, **_key(scope, period), **_more(window, used))
    return used


def _of_rows(tx: Tx, scope: Scope, period: Period, window: Window) -> Used:
    if period == "turn":
        row = tx.must(_SUM_OF_TURN, name=scope.name, turn=window.key)
    else:
        row = tx.must(_SUM[scope.kind], name=scope.name, since=window.starts_at)
    tokens, usd = row
    return Used(0, int(tokens), float(usd))


def _key(scope: Scope, period: Period | Literal["minute"]) -> dict[str, str]:
    return {"kind": scope.kind, "name": scope.name, "period": period}


def _more(window: Window, used: Used) -> dict[str, Any]:
    return {
        "new_window": window.key,
        **{f"more_{name}": number for name, number in used._asdict().items()},
    }


def _used(row: Any) -> Used:
    requests, tokens, usd = row
    return Used(int(requests), int(tokens), float(usd))
