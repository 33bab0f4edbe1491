"""Sum tokens and cost in the database: from the JSON in each stream's row, or from the totals of counted ones."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Double, Select, cast, func, select
from sqlalchemy.dialects.postgresql import JSON
from sqlmodel import Session

from agent_core.domain.usage import COUNTS, Tally, ThreadUsage, UsageSummary, dearest_first
from agent_core.store.database.sql import STREAM, THREAD, USAGE
from agent_core.store.threads.usage_totals import UNKNOWN_MODEL, has_uncounted, is_request, period_of

_s, _t, _u = STREAM.c, THREAD.c, USAGE.c
_NUMBERS = (*COUNTS, "cost")
_KEYS = ("day", "model", "agent")


def of_thread(session: Session, thread_id: str) -> ThreadUsage:
    """Return the usage of a thread."""
    requests = _requests(session).where(_s.thread_id == thread_id)
    total, by_message, by_model = Tally(), dict[str, Tally](), dict[str, Tally]()
    for row in _added_up(session, requests, "message_id", "model"):
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
    uncounted = _requests(session).where(has_uncounted, _s.seq > _t.usage_seq)
    counted = _totals(session)
    if owner is not None:
        uncounted, counted = uncounted.where(_t.user_id == owner), counted.where(_u.user_id == owner)
    if since is not None:
        first = period_of(since)
        uncounted, counted = uncounted.where(_s.started_at >= first), counted.where(_u.period >= first)
    if until is not None:
        end = period_of(until)
        uncounted, counted = uncounted.where(_s.started_at < end), counted.where(_u.period < end)
    total, by_day = Tally(), dict[date, Tally]()
    by_model, by_agent = dict[str, Tally](), dict[str, Tally]()
    counted_rows = session.connection().execute(counted)
    for row in [*_added_up(session, uncounted, *_KEYS), *counted_rows]:
        tally = _tally(row)
        total += tally
        _add(by_day, date.fromisoformat(row.day), tally)
        _add(by_model, row.model, tally)
        _add(by_agent, row.agent, tally)
    days = dict(sorted(by_day.items()))
    return UsageSummary(total, days, dearest_first(by_model), dearest_first(by_agent))


def _totals(session: Session) -> Select[Any]:
    """Select the totals of counted requests by day, model and agent."""
    day = _day(_u.period, session.get_bind().dialect.name == "sqlite").label("day")
    numbers = [func.sum(_u[name]).label(name) for name in ("requests", "metered", "estimated", *_NUMBERS)]
    return select(day, _u.model, _u.agent, *numbers).group_by(day, _u.model, _u.agent)


def _requests(session: Session) -> Select[Any]:
    """Select each attempt at a model step with its numbers as columns."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    numbers = [cast(_field(name, sqlite), Double).label(name) for name in _NUMBERS]
    model = func.coalesce(_field("model", sqlite), UNKNOWN_MODEL).label("model")
    estimated = _field("estimated", sqlite).label("estimated")
    return (
        select(_s.message_id, _day(_s.started_at, sqlite).label("day"), model, _t.agent, estimated, *numbers)
        .join(THREAD, _t.id == _s.thread_id)
        .where(is_request)
    )


def _field(name: str, sqlite: bool) -> ColumnElement[Any]:
    return func.json_extract(_s.usage, f"$.{name}") if sqlite else cast(_s.usage, JSON)[name].astext


def _day(moment: ColumnElement[Any], sqlite: bool) -> ColumnElement[str]:
    if sqlite:
        return func.date(moment, "unixepoch")
    return func.to_char(func.timezone("UTC", func.to_timestamp(moment)), "YYYY-MM-DD")


def _added_up(session: Session, requests: Select[Any], *keys: str) -> Any:
    each = requests.subquery()
    by = [each.c[key] for key in keys]
    sums = [func.sum(each.c[name]).label(name) for name in _NUMBERS]
    estimated = func.count(each.c.estimated)  # it is true, or there is none
    counts = [
        func.count().label("requests"),
        (func.count(each.c.total_tokens) - estimated).label("metered"),
        estimated.label("estimated"),
    ]
    return session.connection().execute(select(*by, *counts, *sums).group_by(*by))


def _tally(row: Any) -> Tally:
    counts = {name: int(getattr(row, name) or 0) for name in COUNTS}
    return Tally(int(row.requests), int(row.metered), **counts, cost=row.cost, estimated=int(row.estimated))


def _add(tallies: dict[Any, Tally], key: Any, tally: Tally) -> None:
    tallies[key] = tallies.get(key, Tally()) + tally
