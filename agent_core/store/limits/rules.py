"""Read and write the rows of limits and budgets, and find those that apply to a model step."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from sqlalchemy import ColumnElement, and_, delete, exists, func, literal_column, or_, select
from sqlmodel import Session

from agent_core.domain.limits import EACH, Budget, Kind, Limit, Period, Scope
from agent_core.store.database.sql import BUDGET, COUNTER, LIMIT, LIMITS_FEED, P, Statement, upsert
from agent_core.store.database.transaction import Tx

_l, _b = LIMIT.c, BUDGET.c
_c = COUNTER.c
_NUMBERS = ("requests_per_minute", "tokens_per_minute", "concurrency")
_ADVISORY = 7_236_401_886  # an arbitrary number: on PostgreSQL one process weighs or changes limits at a time
_one: ColumnElement[int] = literal_column("1")
_number: ColumnElement[int] = literal_column(str(_ADVISORY))
_GATE = Statement(select(_one), postgresql=select(func.pg_advisory_xact_lock(_number)))
_PUT_LIMIT = upsert(
    LIMIT,
    {"model": P("model"), **{name: P(name) for name in _NUMBERS}},
    ["model"],
    {**{name: P(name) for name in _NUMBERS}, "blocked_until": None},
)
_DELETE_LIMIT = Statement(delete(LIMIT).where(_l.model == P("model")))
_limits = select(_l.model, *(_l[name] for name in _NUMBERS), _l.blocked_until)
_LIMIT_OF = Statement(_limits.where(_l.model == P("model")))
_LIMITS = Statement(_limits.order_by(_l.model))
_this = (_b.kind == P("kind"), _b.name == P("name"), _b.period == P("period"))
_KNOWN = Statement(select(_b.kind).where(*_this))
_PUT_BUDGET = upsert(
    BUDGET,
    {name: P(name) for name in ("kind", "name", "period", "usd", "tokens")},
    ["kind", "name", "period"],
    {"usd": P("usd"), "tokens": P("tokens")},
)
_DELETE_BUDGET = Statement(delete(BUDGET).where(*_this))
_of_name = or_(_c.name == P("name"), P("name") == EACH)
_RECOUNT = Statement(delete(COUNTER).where(_c.kind == P("kind"), _of_name, _c.period == P("period")))
_budgets = select(_b.kind, _b.name, _b.period, _b.usd, _b.tokens)
_BUDGETS = Statement(_budgets.order_by(_b.kind, _b.name, _b.period))


def _names(kind: str, name: Any) -> Any:
    return and_(_b.kind == literal_column(f"'{kind}'"), _b.name.in_([name, literal_column(f"'{EACH}'")]))


_BUDGETS_OF = Statement(
    _budgets.where(or_(*(_names(kind, P(kind)) for kind in ("user", "agent", "thread")))).order_by(
        _b.kind, _b.period, _b.name
    )
)


class Subject(NamedTuple):
    """What a model step counts against; `user` is "" for a thread without a user, `turn` the id of its reply."""

    model: str
    user: str
    agent: str
    thread: str
    turn: str

    def scope(self, kind: Kind) -> Scope:
        """Return the step's own scope of a kind."""
        names = {"model": self.model, "user": self.user, "agent": self.agent, "thread": self.thread}
        return Scope(kind, names[kind])


class ModelLimit(NamedTuple):
    """The limit of a model, and the moment until which its provider has asked to wait."""

    model: str
    limit: Limit
    blocked_until: float | None


class Rule(NamedTuple):
    """A budget, and the scope for which it is set; its name may be `EACH`."""

    scope: Scope
    budget: Budget


def lock(tx: Tx) -> None:
    """Wait until no other process weighs a step or changes a limit or budget.

    SQLite has one writer, which is enough.
    """
    tx.all(_GATE)


def exist(session: Session) -> bool:
    """Whether there is any limit or budget."""
    known = exists(select(_l.model)), exists(select(_b.kind))
    return any(session.connection().execute(select(*known)).one())


def limit_of(tx: Tx, model: str) -> ModelLimit | None:
    """Return the limit of a model."""
    row = tx.one(_LIMIT_OF, model=model)
    return None if row is None else _limit(row)


def limits(tx: Tx) -> list[ModelLimit]:
    """Return all limits by the model's name."""
    return [_limit(row) for row in tx.all(_LIMITS)]


def budgets_of(tx: Tx, subject: Subject) -> list[Rule]:
    """Return the budgets that apply to a step; a scope's own comes before the one for `EACH`."""
    found: dict[tuple[str, str], Rule] = {}
    for row in tx.all(_BUDGETS_OF, user=subject.user, agent=subject.agent, thread=subject.thread):
        rule = _rule(row)
        key = rule.scope.kind, rule.budget.per
        if key not in found or rule.scope.name != EACH:
            found[key] = rule
    return list(found.values())


def budgets(tx: Tx) -> list[Rule]:
    """Return all budgets by kind, name and period."""
    return [_rule(row) for row in tx.all(_BUDGETS)]


def put_limit(tx: Tx, model: str, limit: Limit | None) -> None:
    """Set or remove the limit of a model; what its provider has asked for is forgotten."""
    if limit is None:
        tx.do(_DELETE_LIMIT, model=model)
    else:
        tx.do(_PUT_LIMIT, model=model, **{name: getattr(limit, name) for name in _NUMBERS})
    tx.touched.add(LIMITS_FEED)


def put_budget(tx: Tx, scope: Scope, period: Period, budget: Budget | None) -> None:
    """Set or remove the budget of a scope for a period.

    A new one begins with what its window has used so far: a counter of an earlier budget has missed steps.
    """
    key = {"kind": scope.kind, "name": scope.name, "period": period}
    if budget is None:
        tx.do(_DELETE_BUDGET, **key)
    else:
        if tx.one(_KNOWN, **key) is None:
            counted = key | ({"kind": "thread", "name": EACH} if period == "turn" else {})
            tx.do(_RECOUNT, **counted)
        tx.do(_PUT_BUDGET, **key, usd=budget.usd, tokens=budget.tokens)
    tx.touched.add(LIMITS_FEED)


def _limit(row: Any) -> ModelLimit:
    model, requests, tokens, concurrency, blocked_until = row
    return ModelLimit(model, Limit(requests, tokens, concurrency), blocked_until)


def _rule(row: Any) -> Rule:
    kind, name, period, usd, tokens = row
    scope = Scope(cast("Kind", kind), name)
    return Rule(scope, Budget(None if usd is None else float(usd), tokens, period))
