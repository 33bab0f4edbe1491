"""Random histories of limits and budgets on the real store: two workers, kills, stops, raises and a clock.

Never over by more than the step under way; the counters are exact, also of attempts that were stopped, deleted,
released, or lost with their process, each of which counts once; and whatever is paused goes on, when its window
turns, when other steps end, or when a person raises the budget.
"""

from __future__ import annotations

import contextlib
import math
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import select

from agent_core import Budget, Limit, errors
from agent_core.domain.limits import RECHECK_INTERVAL, Estimate, Period, Prompt, Scope, window_of
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.store.database.open import opened
from agent_core.store.database.sql import STREAM, THREAD, Statement, dump, load
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.limits import admissions, changes
from agent_core.store.reads.reader import Reads
from agent_core.store.turns import claims, deletion, steps, turns
from agent_core.store.turns.claims import Claim
from agent_core.store.wake_ups.wake_ups import LeasedWakeUps
from agent_core.testing import FakeClock
from tests.support.databases import prepare
from tests.support.store_histories.machine import Idle, message

R = TypeVar("R")
AGENTS = {"red", "blue"}
MODEL = "m"
DAY = 86_400.0
ANN, RED, EACH_THREAD = Scope("user", "ann"), Scope("agent", "red"), Scope("thread", "*")
_THREADS = Statement(select(THREAD.c.id, THREAD.c.status, THREAD.c.retry_state).order_by(THREAD.c.id))
_OPEN = Statement(select(STREAM.c.thread_id).where(STREAM.c.status == "streaming"))


@dataclass(eq=False)
class Held:
    """An admitted step in the memory of a worker; `written` are the tokens of the answer that were flushed."""

    worker: str
    claim: Claim
    tokens: int
    prompt: int
    written: int = 0


@dataclass
class Ended:
    """A step whose end has landed."""

    at: float
    claim: Claim
    tokens: int
    usd: float


def text(tokens: int) -> list[dict[str, Any]]:
    """Return chunks of a text of so many tokens, by the estimate of a text that is not ASCII."""
    return [{"type": "text-start", "id": "0"}, {"type": "text-delta", "id": "0", "delta": "語" * tokens}]


class Limits(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="limits-"))
        self._stack = contextlib.ExitStack()
        path = prepare(self._folder / "agents.db")
        engine, reading, _ = self._stack.enter_context(opened(f"sqlite:///{path}", "NORMAL"))
        self.reads, self._dialect = Reads(reading), engine.dialect
        self._connection: Any = self._stack.enter_context(contextlib.closing(engine.raw_connection()))
        self.clock = FakeClock(1_767_225_000.0)  # half an hour before a year ends
        self.workers = ["a0", "b0"]
        self.held: list[Held] = []
        self.open: dict[str, Held] = {}
        """The admitted step of each thread that has not ended, also that of a dead worker."""
        self.ended: list[Ended] = []
        self.begun: list[float] = []
        self.largest = 0
        self.names = 0
        self.budgets: dict[tuple[Scope, Period], int] = {}
        self.limit = Limit(6, 150, 3)
        self.put(ANN, "day", 40)
        self.put(RED, "month", 120)
        self.put(EACH_THREAD, "turn", 15)
        self.do(None, changes.set_limit, MODEL, self.limit)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # the history has come to its end
                self.nothing_is_stuck()
        finally:
            self._stack.close()
            shutil.rmtree(self._folder)

    def do(self, by: str | None, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        wake_ups = LeasedWakeUps(by or "nobody", 10 * DAY)
        wake_ups.worker = None if by is None else Idle()
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            result = function(Tx(cursor, self._dialect, wake_ups, self.clock.now()), *args, **kwargs)
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            cursor.close()
        return result

    def put(self, scope: Scope, period: Period, tokens: int) -> None:
        budget = Budget(tokens=tokens, usd=tokens / 100, per=period)
        self.budgets[scope, period] = tokens
        self.do(None, changes.set_budget, scope, period, budget)

    def threads(self) -> dict[str, tuple[str, dict[str, Any] | None]]:
        found = self.do(None, lambda tx: list(tx.all(_THREADS)))
        return {name: (status, load(state)) for name, status, state in found}

    def is_live(self, held: Held) -> bool:
        """Whether a step holds its fence."""
        return self.do(None, lambda tx: tx.one(_FENCE, **held.claim.fence)) is not None

    # what people do

    @rule(user=st.sampled_from(["ann", "ann", "bob", None]), agent=st.sampled_from(sorted(AGENTS)))
    def create(self, user: str | None, agent: str) -> None:
        if len(self.threads()) < 6:
            self.names += 1
            name = f"t{self.names}"
            given: dict[str, Any] = {"agent": agent, "title": None, "user_id": user, "metadata": {}}
            self.do(None, turns.create, name, **given, messages=[message(f"m{self.names}")], run=True)

    @rule(pick=st.integers(0, 5))
    def send(self, pick: int) -> None:
        self.names += 1
        with contextlib.suppress(errors.ThreadBusyError):
            self.do(None, turns.send, self.thread(pick), message(f"m{self.names}"), "reject")

    @rule(pick=st.integers(0, 5), resume=st.booleans())
    def stop(self, pick: int, resume: bool) -> None:
        name = self.thread(pick)
        self.do(None, turns.stop, name)
        self.cut(name)
        if resume:
            self.do(None, turns.resume, name, None)

    @rule(pick=st.integers(0, 5))
    def delete(self, pick: int) -> None:
        name = self.thread(pick)
        self.do(None, deletion.delete_thread, name)
        self.cut(name)

    def cut(self, name: str, *, was_answered: bool = True) -> None:
        """Expect that the open step of a thread has ended without counts."""
        held = self.open.pop(name, None)
        if held is not None and (was_answered or held.written):
            tokens = held.prompt + held.written
            self.ended.append(Ended(self.clock.now(), held.claim, tokens, tokens / 100))

    def thread(self, pick: int) -> str:
        names = sorted(self.threads())
        if not names:
            self.create("ann", "red")
            names = sorted(self.threads())
        return names[pick % len(names)]

    @rule(pick=st.integers(0, 2), more=st.integers(1, 60))
    def raise_budget(self, pick: int, more: int) -> None:
        (scope, period), tokens = sorted(self.budgets.items(), key=str)[pick]
        self.put(scope, period, tokens + more)

    # what workers do

    @rule(pick=st.integers(0, 1), sizes=st.lists(st.integers(1, 40), min_size=3, max_size=3))
    def take(self, pick: int, sizes: list[int]) -> None:
        worker = self.workers[pick]
        for key, size in zip(self.keys(worker), sizes, strict=False):
            claim = self.do(worker, claims.claim, key.thread_id, worker, AGENTS)
            if claim is None:
                continue
            self.cut(key.thread_id)
            prompt = size // 2
            estimate = Estimate(size, size / 100, Prompt(prompt, prompt / 100, 0.01))
            pause = self.do(worker, admissions.admit, claim, worker, MODEL, estimate)
            if pause is None:
                self.open[key.thread_id] = Held(worker, claim, size, prompt)
                self.held.append(self.open[key.thread_id])
                self.begun.append(self.clock.now())
                self.largest = max(self.largest, size)

    def keys(self, worker: str) -> list[WakeUpKey]:
        """Lease due steps; return them after those that a worker holds already, as its reconciler does."""
        taken = self.do(worker, lambda tx: tx.wake.take(tx, {"step": 3}))  # type: ignore[attr-defined]
        new = {leased.key for leased in taken}
        runs = {held.claim.thread_id for held in self.held if held.worker == worker and self.is_live(held)}
        mine = self.do(worker, lambda tx: tx.wake.mine(tx))  # type: ignore[attr-defined]
        return sorted(
            (key for key in mine if key.thread_id not in runs), key=lambda key: (key in new, str(key))
        )

    @precondition(lambda self: self.held)
    @rule(pick=st.integers(0, 9), more=st.integers(1, 9))
    def flush(self, pick: int, more: int) -> None:
        held = self.held[pick % len(self.held)]
        more = min(more, held.tokens - held.prompt - held.written)
        if more and self.do(held.worker, steps.flush, held.claim, text(more), held.written == 0):
            held.written += more

    @precondition(lambda self: self.held)
    @rule(
        pick=st.integers(0, 9),
        how=st.sampled_from(["commit", "go on", "go on", "retry", "fail", "release"]),
        less=st.integers(0, 5),
        wakes=st.booleans(),
        counts=st.booleans(),
    )
    def end(self, pick: int, how: str, less: int, wakes: bool, counts: bool) -> None:
        held = self.held.pop(pick % len(self.held))
        tokens = max(held.written, held.tokens - less)
        is_counted = how != "release" and (counts or how not in ("retry", "fail"))
        usage = dump(
            {"model": MODEL} | ({"total_tokens": tokens, "cost": tokens / 100} if is_counted else {})
        )
        try:
            self.finish(held, how, usage)
        except (FenceLost, errors.ThreadNotFoundError):
            return
        if is_counted:
            del self.open[held.claim.thread_id]
            self.ended.append(Ended(self.clock.now(), held.claim, tokens, tokens / 100))
        else:
            self.cut(held.claim.thread_id, was_answered=how == "release")
        if wakes:  # otherwise the process has died in between
            self.make_room(held.claim)

    def finish(self, held: Held, how: str, usage: str) -> None:
        by, claim = held.worker, held.claim
        if how == "retry":
            state = {"next_at": self.clock.now() + 1, "error": "Busy."}
            self.do(by, steps.retry, claim, [], state, usage, metered=True)
        elif how == "fail":
            self.do(by, steps.fail, claim, "No.", "unknown", [], usage, metered=True)
        elif how == "release":
            self.do(by, steps.release, claim, [], self.clock.now())
        else:
            parts = [{"type": "step-start"}, {"type": "text", "text": "Hi", "state": "done"}]
            values: dict[str, Any] = {"parts": parts, "chunks": [], "new_calls": [], "usage": usage}
            paused = how == "go on"
            self.do(by, steps.commit, claim, **values, first=True, paused=paused, metered=True)

    def make_room(self, claim: Claim) -> None:
        subject = admissions.subject_of(claim, MODEL)
        if waiting := self.reads.read(changes.waits_for_room, subject):
            self.do(None, changes.wake, waiting)

    @rule(pick=st.integers(0, 1))
    def kill(self, pick: int) -> None:
        dead = self.workers[pick]
        self.names += 1
        self.workers[pick] = f"{dead[0]}{self.names}"
        self.held = [held for held in self.held if held.worker != dead]
        self.do(None, lambda tx: tx.wake.release(tx, dead))  # type: ignore[attr-defined]

    @rule(seconds=st.sampled_from([1.0, RECHECK_INTERVAL, 61.0, 1800.0, DAY]))
    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # what always holds

    def used(self, scope: Scope, period: Period) -> tuple[int, float]:
        """Return what the model knows to be used in the current window."""
        window = window_of(period, self.clock.now())
        found = [
            one
            for one in self.ended
            if window_of(period, one.at).key == window.key
            and scope.name == {"user": one.claim.user_id, "agent": one.claim.agent}[scope.kind]
        ]
        return sum(one.tokens for one in found), sum(one.usd for one in found)

    @invariant()
    def counters_are_exact_and_no_budget_is_exceeded_by_more_than_a_step(self) -> None:
        for scope, period in [(ANN, "day"), (RED, "month")]:
            (use,) = self.do(None, changes.budgets, scope)
            tokens, usd = self.used(scope, period)  # type: ignore[arg-type]
            assert use.tokens == tokens
            assert math.isclose(use.usd, usd, abs_tol=1e-6)
            assert tokens <= use.budget.tokens + self.largest  # type: ignore[operator]
        turns_: dict[str, int] = {}
        for one in self.ended:
            turns_[one.claim.message_id] = turns_.get(one.claim.message_id, 0) + one.tokens
        assert max(turns_.values(), default=0) <= self.budgets[EACH_THREAD, "turn"] + self.largest

    @invariant()
    def the_limit_holds(self) -> None:
        (use,) = self.do(None, changes.limits)
        minute = window_of("minute", self.clock.now()).key
        assert sum(window_of("minute", at).key == minute for at in self.begun) <= 6
        live = [held for held in self.held if self.is_live(held)]
        assert len(live) <= 3
        assert use.running <= 3
        ended = sum(one.tokens for one in self.ended if window_of("minute", one.at).key == minute)
        assert ended <= 150 + self.largest

    @invariant()
    def a_paused_thread_has_a_reason_and_no_open_stream(self) -> None:
        opened_ = {name for (name,) in self.do(None, lambda tx: list(tx.all(_OPEN)))}
        for name, (status, state) in self.threads().items():
            if state is not None:
                assert status == "streaming"
                assert name not in opened_
                assert state["error"]

    # the end: nothing is stuck

    def nothing_is_stuck(self) -> None:
        for held in list(self.held):
            self.end(self.held.index(held), "commit", 0, False, True)
        self.work_for(35)
        waiting = {name: state for name, (status, state) in self.threads().items() if status == "streaming"}
        codes = {(state or {}).get("error_info", {}).get("code") for state in waiting.values()}
        assert codes <= {"budget_spent_turn"}, waiting
        self.put(EACH_THREAD, "turn", 10**6)
        self.work_for(35)
        assert {status for status, _ in self.threads().values()} <= {"completed", "failed", "stopped"}

    def work_for(self, days: int) -> None:
        """Let the workers take what is due, step by step, while days pass."""
        for _ in range(days):
            for worker in (0, 1, 0, 1):
                self.take(worker, [5, 5, 5])
                while self.held:
                    self.end(0, "commit", 0, False, True)
                self.clock.advance(61.0)
            self.clock.advance(DAY)


_FENCE = Statement(
    select(THREAD.c.id).where(
        THREAD.c.id == steps.P("thread_id"), THREAD.c.seq == steps.P("at_seq"), THREAD.c.status == "streaming"
    )
)

Limits.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestLimits = Limits.TestCase


def test_a_lost_step_counts_before_a_worker_has_taken_it_over() -> None:
    machine = Limits()
    try:
        machine.create("ann", "blue")
        machine.create("ann", "blue")
        machine.take(0, [10, 30])
        machine.end(0, "commit", 0, False, True)
        machine.take(0, [30])
        (dying,) = machine.held
        machine.flush(0, 9)
        machine.flush(0, 6)
        assert (dying.claim.thread_id, dying.prompt + dying.written) == ("t2", 30)
        machine.send(0)
        machine.kill(0)
        (first,) = [key for key in machine.keys("b0") if key.thread_id == "t1"]
        claim = machine.do("b0", claims.claim, first.thread_id, "b0", AGENTS)
        assert claim is not None
        pause = machine.do("b0", admissions.admit, claim, "b0", MODEL, Estimate(1))
        assert pause is not None, "10 were used, and 30 by the step whose process died: nothing is left of 40"
    finally:
        machine.teardown()
