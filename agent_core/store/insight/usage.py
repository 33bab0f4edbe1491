"""Sum tokens and cost in the database: from the JSON in each stream's row, or from the totals of counted ones."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, cast, func, select
from sqlalchemy.dialects.postgresql import JSON
from sqlmodel import Session

from agent_core.domain.usage import COUNTS, Tally, ThreadUsage, UsageSummary, dearest_first
from agent_core.store.database.sql import STREAM, THREAD, USAGE, P
from agent_core.store.threads.usage_totals import UNKNOWN_MODEL, has_uncounted, is_request, period_of

_s, _t, _u = STREAM.c, THREAD.c, USAGE.c
_NUMBERS = (*COUNTS, "cost")
_KEYS = ("day", "model", "agent")


def of_thread(session: Session, thread_id: str) -> ThreadUsage:
    """Return the usage of a thread."""
    total, by_message, by_model = Tally(), dict[str, Tally](), dict[str, Tally]()
    statement = _of_thread(_is_sqlite(session))
    for row in session.connection().execute(statement, {"thread_id": thread_id}):
        tally = _tally(row)
        total += tally
        _add(by_message, row.message_id, tally)
        _add(by_model, row.model, tally)
    return ThreadUsage(total, by_message, dearest_first(by_model))


def summary(
    session: Session, owner: str | None, since: float | None = None, until: float | None = None
) -> UsageSummary:
    """Return the usage of the threads of `owner` (None: all threads) between two moments.

    The moments are rounded down to the beginning of their period; see `usage_totals`.
    """
    bounds = {
        "owner": owner,
        "since": None if since is None else period_of(since),
        "until": None if until is None else period_of(until),
    }
    given = {name: value for name, value in bounds.items() if value is not None}
    total, by_day = Tally(), dict[date, Tally]()
    by_model, by_agent = dict[str, Tally](), dict[str, Tally]()
    for statement in _summary(_is_sqlite(session), frozenset(given)):
        for row in session.connection().execute(statement, given):
            tally = _tally(row)
            total += tally
            _add(by_day, date.fromisoformat(row.day), tally)
            _add(by_model, row.model, tally)
            _add(by_agent, row.agent, tally)
    days = dict(sorted(by_day.items()))
    return UsageSummary(total, days, dearest_first(by_model), dearest_first(by_agent))


def by_user(session: Session, since: float, limit: int) -> dict[str, Tally]:
    """Return the usage of the `limit` users who have cost most since a moment; "" is for threads without a user."""
    tallies: dict[str, Tally] = {}
    given = {"since": period_of(since)}
    for statement in _users(_is_sqlite(session)):
        for row in session.connection().execute(statement, given):
            _add(tallies, row.user_id, _tally(row))
    return dict(islice(dearest_first(tallies).items(), limit))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


# Building a statement of so many functions takes longer than executing it on a small database.
@cache
def _of_thread(sqlite: bool) -> Select[Any]:
    requests = _requests(sqlite).where(_s.thread_id == P("thread_id"))
    return _added_up(requests, "message_id", "model")


@cache
def _summary(sqlite: bool, given: frozenset[str]) -> tuple[Select[Any], Select[Any]]:
    """Select the uncounted requests and the totals of the counted ones, both by day, model and agent.

    Args:
        sqlite: whether the database is SQLite.
        given: which of the parameters `owner`, `since` and `until` restrict the rows.
    """
    uncounted = _requests(sqlite).where(has_uncounted, _s.seq > _t.usage_seq)
    counted = _totals(sqlite)
    if "owner" in given:
        owner = P("owner")
        uncounted, counted = uncounted.where(_t.user_id == owner), counted.where(_u.user_id == owner)
    if "since" in given:
        since = P("since")
        uncounted, counted = uncounted.where(_s.started_at >= since), counted.where(_u.period >= since)
    if "until" in given:
        until = P("until")
        uncounted, counted = uncounted.where(_s.started_at < until), counted.where(_u.period < until)
    return _added_up(uncounted, *_KEYS), counted


@cache
def _users(sqlite: bool) -> tuple[Select[Any], Select[Any]]:
    """Select the uncounted requests and the totals of the counted ones since a moment, both by user."""
    since = P("since")
    uncounted = _requests(sqlite).where(has_uncounted, _s.seq > _t.usage_seq, _s.started_at >= since)
    counted = select(_u.user_id, *_sums()).group_by(_u.user_id).where(_u.period >= since)
    return _added_up(uncounted, "user_id"), counted


def _totals(sqlite: bool) -> Select[Any]:
    """Select the totals of counted requests by day, model and agent."""
    day = _day(_u.period, sqlite).label("day")
    return select(day, _u.model, _u.agent, *_sums()).group_by(day, _u.model, _u.agent)


def _sums() -> list[ColumnElement[Any]]:
    return [func.sum(_u[name]).label(name) for name in ("requests", "metered", "estimated", *_NUMBERS)]


def _requests(sqlite: bool) -> Select[Any]:
    """Select each attempt at a model step with its numbers as columns."""
    numbers = [cast(_field(name, sqlite), Double).label(name) for name in _NUMBERS]
    model = func.coalesce(_field("model", sqlite), UNKNOWN_MODEL).label("model")
    estimated = _field("estimated", sqlite).label("estimated")
    user = func.coalesce(_t.user_id, "").label("user_id")
    day = _day(_s.started_at, sqlite).label("day")
    return (
        select(_s.message_id, day, model, _t.agent, user, estimated, *numbers)
        .join(THREAD, _t.id == _s.thread_id)
        .where(is_request)
    )


def _field(name: str, sqlite: bool) -> ColumnElement[Any]:
    return func.json_extract(_s.usage, f"$.{name}") if sqlite else cast(_s.usage, JSON)[name].astext


def _day(moment: ColumnElement[Any], sqlite: bool) -> ColumnElement[str]:
    if sqlite:
        return func.date(moment, "unixepoch")
    return func.to_char(func.timezone("UTC", func.to_timestamp(moment)), "YYYY-MM-DD")


def _added_up(requests: Select[Any], *keys: str) -> Select[Any]:
    each = requests.subquery()
    by = [each.c[key] for key in keys]
    sums = [func.sum(each.c[name]).label(name) for name in _NUMBERS]
    estimated = func.count(each.c.estimated)  # it is true, or there is none
    counts = [
        func.count().label("requests"),
        (func.count(each.c.total_tokens) - estimated).label("metered"),
        estimated.label("estimated"),
    ]
    return select(*by, *counts, *sums).group_by(*by)


def _tally(row: Any) -> Tally:
    counts = {name: int(getattr(row, name) or 0) for name in COUNTS}
    return Tally(int(row.requests), int(row.metered), **counts, cost=row.cost, estimated=int(row.estimated))


def _add(tallies: dict[Any, Tally], key: Any, tally: Tally) -> None:
    tallies[key] = tallies.get(key, Tally()) + tally
