"""Change limits and budgets, wake the threads that wait for them, and report what is used of them."""

from __future__ import annotations

from sqlalchemy import func, or_, select, update
from sqlmodel import Session

from agent_core.domain.limits import (
    EACH,
    Budget,
    BudgetUse,
    Limit,
    LimitUse,
    Period,
    Scope,
    Used,
    window_of,
)
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.store.database.sql import ADMISSION, LIMIT, THREAD, P, Statement
from agent_core.store.database.transaction import Tx
from agent_core.store.limits import counters, rules
from agent_core.store.limits.admissions import count_ended
from agent_core.store.limits.rules import ModelLimit, Rule, Subject
from agent_core.store.limits.under_way import PAUSED, is_current, running_of

_a = ADMISSION.c
_waits = select(_a.thread_id).select_from(ADMISSION).join(THREAD, is_current).where(_a.status == PAUSED)
_WAIT_FOR = Statement(
    _waits.where(_a.wait_kind == P("kind"), or_(_a.wait_name == P("name"), P("name") == EACH)).order_by(
        _a.since
    )
)
_STILL_PAUSED = Statement(_waits.where(_a.thread_id == P("thread_id")).with_for_update(of=THREAD))
_BLOCK = Statement(
    update(LIMIT)
    .where(LIMIT.c.model == P("model"), func.coalesce(LIMIT.c.blocked_until, 0.0) < P("until"))
    .values(blocked_until=P("until"))
)


def waits_for_room(session: Session, subject: Subject) -> list[str]:
    """Return the threads that may go on when a step of `subject` has ended: the oldest of each of its scopes."""
    scopes = [Scope("model", subject.model), subject.scope("user"), subject.scope("agent")]
    wanted = _waits.where(_a.awaits_room).order_by(_a.since).limit(1)
    found = [
        session.connection()
        .execute(wanted.where(_a.wait_kind == scope.kind, _a.wait_name == scope.name))
        .scalar()
        for scope in scopes
    ]
    return [thread_id for thread_id in dict.fromkeys(found) if thread_id is not None]


def wake(tx: Tx, thread_ids: list[str]) -> None:
    """Let paused threads be weighed again now; those that are no longer paused are left alone."""
    for thread_id in thread_ids:
        if tx.one(_STILL_PAUSED, thread_id=thread_id) is not None:
            tx.wake.enqueue(tx, step_key(thread_id), tx.now)


def block(tx: Tx, model: str, until: float) -> None:
    """Let every worker wait with requests to a model, if it has a limit, until its provider accepts them again."""
    rules.lock(tx)
    tx.do(_BLOCK, model=model, until=until)


def set_limit(tx: Tx, model: str, limit: Limit | None) -> None:
    """Set or remove the limit of a model, and let the steps that wait for it be weighed again."""
    rules.lock(tx)
    count_ended(tx)
    rules.put_limit(tx, model, limit)
    _wake_all(tx, Scope("model", model))


def set_budget(tx: Tx, scope: Scope, period: Period, budget: Budget | None) -> None:
    """Set or remove a budget, and let the steps that wait for it be weighed again."""
    rules.lock(tx)
    count_ended(tx)
    rules.put_budget(tx, scope, period, budget)
    _wake_all(tx, scope)


def _wake_all(tx: Tx, scope: Scope) -> None:
    wake(tx, [thread_id for (thread_id,) in tx.all(_WAIT_FOR, kind=scope.kind, name=scope.name)])


def limits(tx: Tx) -> list[LimitUse]:
    """Return all limits, and what is used of them."""
    rules.lock(tx)
    count_ended(tx)
    return [_use_of_limit(tx, known) for known in rules.limits(tx)]


def _use_of_limit(tx: Tx, known: ModelLimit) -> LimitUse:
    used = counters.used_of_model(tx, known.model)
    running = running_of(tx, Scope("model", known.model), "").steps
    resets_at = window_of("minute", tx.now).ends_at or tx.now
    blocked = known.blocked_until if (known.blocked_until or 0.0) > tx.now else None
    return LimitUse(known.model, known.limit, used.requests, used.tokens, running, resets_at, blocked)


def budgets(tx: Tx, scope: Scope | None) -> list[BudgetUse]:
    """Return the budgets that apply to a scope, or all of them, and what is used of them."""
    rules.lock(tx)
    count_ended(tx)
    if scope is None:
        return [_use_of_budget(tx, rule, rule.scope) for rule in rules.budgets(tx)]
    subject = Subject("", scope.name, scope.name, scope.name, "")
    applying = [rule for rule in rules.budgets_of(tx, subject) if rule.scope.kind == scope.kind]
    return [_use_of_budget(tx, rule, scope) for rule in applying]


def _use_of_budget(tx: Tx, rule: Rule, scope: Scope) -> BudgetUse:
    (kind, name), budget = scope, rule.budget
    used = Used()
    if budget.per != "turn" and name != EACH:
        used = counters.used_by(tx, rule, Subject("", name, name, name, ""))
    return BudgetUse(kind, name, budget, used.usd, used.tokens, window_of(budget.per, tx.now).ends_at)
