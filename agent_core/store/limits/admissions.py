"""Admit model steps, or pause them, and count what they have used when they end.

A step that is admitted has a row with its estimate. It counts as running while its fence and its lease hold, so
the row of a dead process's step counts no more. The transaction that ends the step writes the usage into that row,
which is its own, so that steps of different threads do not wait for each other. The next admission moves it to
the counters.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from sqlalchemy import delete, select, update

from agent_core.domain.events.run_events import PauseEnded, TurnStart
from agent_core.domain.limits import (
    Estimate,
    Kind,
    Pause,
    Running,
    Scope,
    Used,
    budget_pause,
    limit_pause,
    longest,
)
from agent_core.domain.states import StreamStatus, ThreadStatus
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.sentences import info_of
from agent_core.store.database.sql import (
    ADMISSION,
    STREAM,
    THREAD,
    P,
    Statement,
    dump,
    load,
    one_of,
    upsert,
)
from agent_core.store.database.transaction import Tx
from agent_core.store.limits import counters, rules, uncounted
from agent_core.store.limits.rules import ModelLimit, Rule, Subject
from agent_core.store.limits.under_way import ENDED, PAUSED, RUNNING, running_of
from agent_core.store.threads import deltas

_FOREVER = 10 * 365 * 86_400.0  # seconds; a wait for a person has no end

_a, _t = ADMISSION.c, THREAD.c
_of_step = (_a.thread_id == P("thread_id"), _a.seq == P("at_seq"))
_fence = (_t.id == P("thread_id"), _t.seq == P("at_seq"), one_of(_t.status, [ThreadStatus.STREAMING]))
_PUT = upsert(
    ADMISSION,
    {
        "thread_id": P("thread_id"),
        "seq": P("at_seq"),
        **{n: P(n) for n in ("status", "model", "user_id", "agent", "reply_id", "worker")},
        **{n: P(n) for n in ("tokens", "usd", "since", "wait_kind", "wait_name", "awaits_room")},
        **{n: P(n) for n in ("prompt_tokens", "prompt_usd", "answer_usd")},
    },
    ["thread_id", "seq"],
    {n: P(n) for n in ("status", "tokens", "usd", "since")},
)
_FORGET = Statement(
    delete(ADMISSION).where(_a.thread_id == P("thread_id"), _a.status != ENDED).returning(_a.status, _a.since)
)
_TAKE_ENDED = Statement(
    delete(ADMISSION)
    .where(_a.status == ENDED)
    .returning(
        *(_a.model, _a.user_id, _a.agent, _a.thread_id, _a.reply_id), _a.seq, _a.since, _a.tokens, _a.usd
    )
)
_HELD = Statement(select(_t.id).where(*_fence).with_for_update())
_SHOW = Statement(
    update(THREAD)
    .where(*_fence)
    .values(cursor=_t.cursor + 1, retry_state=P("new_retry"))  # no activity: it keeps its place in the list
    .returning(_t.cursor)
)
_KEEP_PAUSE = Statement(
    update(STREAM)
    .where(STREAM.c.thread_id == P("thread_id"), STREAM.c.seq == P("at_seq"))
    .values(pause=P("new_pause"))
)
_WITHDRAW = Statement(
    delete(STREAM).where(
        STREAM.c.thread_id == P("thread_id"),
        STREAM.c.seq == P("at_seq"),
        STREAM.c.status == StreamStatus.STREAMING.value,
    )
)


class Step(Protocol):
    """Protocol of a claimed step; see `agent_core.store.turns.claims.Claim`."""

    @property
    def thread_id(self) -> str:
        """Id of the thread."""
        ...

    @property
    def seq(self) -> int:
        """The fence."""
        ...

    @property
    def message_id(self) -> str:
        """Id of the reply."""
        ...

    @property
    def agent(self) -> str:
        """Name of the agent."""
        ...

    @property
    def user_id(self) -> str | None:
        """Owner of the thread."""
        ...

    @property
    def pause(self) -> str | None:
        """The pause in which the step was claimed; see `retry_state`."""
        ...

    @property
    def turn(self) -> TurnStart | None:
        """The start of the turn, for traces."""
        ...

    @property
    def fence(self) -> dict[str, Any]:
        """Values of the fence in a statement."""
        ...


def subject_of(step: Step, model: str) -> Subject:
    """Return what a step counts against."""
    return Subject(model, step.user_id or "", step.agent, step.thread_id, step.message_id)


def admit(tx: Tx, step: Step, worker: str, model: str, estimate: Estimate) -> Pause | None:
    """Admit a claimed step and return None, or pause its thread and return why.

    A pause is no attempt: it leaves no trace but the thread's `retry_state` and its wake-up, and in the end the
    `pause` of the stream that follows it.

    Raises:
        FenceLost: the step has another owner.
    """
    rules.lock(tx)
    tx.fenced(_HELD, **step.fence)
    subject = subject_of(step, model)
    pause = _weigh(tx, subject, estimate)
    earlier = [since for status, since in tx.all(_FORGET, thread_id=step.thread_id) if status == PAUSED]
    since = min(earlier, default=tx.now)
    if pause is None:
        _put(tx, step, subject, worker, RUNNING, estimate, tx.now)
        _count_request(tx, subject)
        if step.pause is not None:
            tx.do(_KEEP_PAUSE, **step.fence, new_pause=step.pause)
            _show(tx, step, None)
            publish_pause(tx, step.pause, step.message_id, step.agent, step.turn)
    else:
        _put(tx, step, subject, worker, PAUSED, estimate, since, pause)
        _pause(tx, step, pause, since)
    return pause


def admit_title(tx: Tx, step: Step, model: str, estimate: Estimate) -> bool:
    """Return whether the title of a thread may be asked for now; it reserves nothing."""
    rules.lock(tx)
    subject = subject_of(step, model)
    if _weigh(tx, subject, estimate) is not None:
        return False
    _count_request(tx, subject)
    return True


def end(tx: Tx, step: Step, usage: str) -> None:
    """Note what a step has used by the counts of its provider, as JSON; see `uncounted.end` for one without.

    A step that began before there were limits has no row yet.
    """
    used: dict[str, Any] = load(usage)
    _note(tx, step, step.seq, used)


def end_title(tx: Tx, step: Step, used: dict[str, Any]) -> None:
    """Note what the request for a title has used."""
    _note(tx, step, -step.seq, used)


def _note(tx: Tx, step: Step, seq: int, used: dict[str, Any]) -> None:
    subject = subject_of(step, str(used.get("model") or ""))
    estimate = Estimate(int(used.get("total_tokens") or 0), float(used.get("cost") or 0.0))
    _put(tx, step, subject, "", ENDED, estimate, tx.now, seq=seq)


def count_ended(tx: Tx) -> None:
    """Move what ended steps have used to the counters; call it with the lock."""
    known: dict[Subject, list[Rule]] = {}
    limited: dict[str, bool] = {}
    for *parts, seq, at, tokens, usd in tx.all(_TAKE_ENDED):
        subject, used = Subject(*parts), Used(0, int(tokens), float(usd or 0.0))
        model = subject.model
        if subject not in known:
            known[subject] = rules.budgets_of(tx, subject)
        for rule in known[subject]:
            if seq >= 0 or rule.budget.per != "turn":  # the turn of a title has ended
                counters.add(tx, rule, subject, at, used)
        if model not in limited:
            limited[model] = rules.limit_of(tx, model) is not None
        if limited[model]:
            counters.add_to_model(tx, model, at, used)


class _UnderWay(NamedTuple):
    """Steps under way: the running ones, and the usage of lost ones that no worker has taken over yet."""

    running: dict[str, Running]
    lost: list[tuple[Subject, Used]]

    def used_in(self, scope: Scope, used: Used) -> Used:
        """Return `used` with what lost steps of the scope have used."""
        for subject, more in self.lost:
            if subject.scope(scope.kind) == scope:
                used = used.plus(more)
        return used


def _under_way(tx: Tx, subject: Subject, kinds: set[Kind]) -> _UnderWay:
    running = {kind: running_of(tx, subject.scope(kind), subject.thread) for kind in kinds}
    return _UnderWay(running, uncounted.lost(tx))


def _weigh(tx: Tx, subject: Subject, estimate: Estimate) -> Pause | None:
    limit, budgets = rules.limit_of(tx, subject.model), rules.budgets_of(tx, subject)
    kinds: set[Kind] = {rule.scope.kind for rule in budgets if rule.budget.per != "turn"}
    if limit is not None:
        kinds.add("model")
    # Before the ended ones: on PostgreSQL a step that ends in between counts twice here rather than never.
    under_way = _under_way(tx, subject, kinds)
    count_ended(tx)
    found = [None if limit is None else _of_model(tx, limit, estimate, under_way)]
    for rule in budgets:
        used, scope = counters.used_by(tx, rule, subject), subject.scope(rule.scope.kind)
        running = Running()
        if rule.budget.per != "turn":
            used, running = under_way.used_in(scope, used), under_way.running[scope.kind]
        found.append(budget_pause(rule.budget, scope, used, running, estimate, tx.now))
    return longest(found)


def _of_model(tx: Tx, known: ModelLimit, estimate: Estimate, under_way: _UnderWay) -> Pause | None:
    scope = Scope("model", known.model)
    used = under_way.used_in(scope, counters.used_of_model(tx, known.model))
    running = under_way.running["model"]
    return limit_pause(known.limit, known.model, used, running, estimate, tx.now, known.blocked_until)


def _count_request(tx: Tx, subject: Subject) -> None:
    if rules.limit_of(tx, subject.model) is not None:
        counters.add_to_model(tx, subject.model, tx.now, Used(requests=1))


def _put(
    tx: Tx,
    step: Step,
    subject: Subject,
    worker: str,
    status: str,
    use: Estimate,
    since: float,
    pause: Pause | None = None,
    seq: int | None = None,
) -> None:
    tx.do(
        _PUT,
        thread_id=step.thread_id,
        at_seq=step.seq if seq is None else seq,
        status=status,
        model=subject.model,
        user_id=subject.user,
        agent=subject.agent,
        reply_id=subject.turn,
        worker=worker,
        tokens=use.tokens,
        usd=use.usd,
        since=since,
        wait_kind=None if pause is None else pause.scope.kind,
        wait_name=None if pause is None else pause.scope.name,
        awaits_room=pause is not None and pause.awaits_room,
        prompt_tokens=use.prompt.tokens,
        prompt_usd=use.prompt.usd,
        answer_usd=use.prompt.answer_usd,
    )


def _pause(tx: Tx, step: Step, pause: Pause, since: float) -> None:
    tx.do(_WITHDRAW, **step.fence)
    run_at = tx.now + _FOREVER if pause.until is None else pause.until
    tx.wake.enqueue(tx, step_key(step.thread_id), run_at)
    state = retry_state(pause, since)
    if step.pause is None or load(step.pause) != state:  # another look at the same pause is nothing to show
        _show(tx, step, state)


def _show(tx: Tx, step: Step, state: dict[str, Any] | None) -> None:
    new_retry = None if state is None else dump(state)
    (cursor,) = tx.fenced(_SHOW, **step.fence, new_retry=new_retry)
    changed = deltas.thread_chunk(status=ThreadStatus.STREAMING, retry_state=state)
    deltas.append(tx, step.thread_id, cursor, [changed])


def retry_state(pause: Pause, since: float) -> dict[str, Any]:
    """Return the `retry_state` of a thread that is paused since a moment."""
    budget = None if pause.budget is None else pause.budget.to_dict()
    return {
        **{"kind": pause.kind, "attempt": 0, "max_attempts": 0, "next_at": pause.next_at},
        **{"error": str(pause.words), "error_info": info_of(pause.words)},
        **{"scope": pause.scope._asdict(), "budget": budget, "awaits_room": pause.awaits_room},
        "since": since,
    }


def publish_pause(
    tx: Tx, state: str | None, message_id: str, agent: str, turn: TurnStart | None, *, stopped: bool = False
) -> None:
    """Publish the end of a pause, for traces, if the `retry_state` of a thread, as JSON, is one."""
    if turn is not None and is_pause(state):
        kind, since = load(state)["kind"], load(state)["since"]
        tx.publish(PauseEnded(turn.thread_id, message_id, agent, kind, since, tx.now, stopped, turn))


def is_pause(state: str | None) -> bool:
    """Return whether the `retry_state` of a thread, as JSON, is a pause; one of an earlier version is shown only."""
    found: dict[str, Any] = load(state) or {}
    return found.get("kind") in ("limit", "budget") and "since" in found
