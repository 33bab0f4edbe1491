"""Rules for tool calls in the store's random histories: by their workers, from outside, by users."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from agent_core.domain.end_reasons import failed
from agent_core.domain.wake_ups.suspects import Suspicion
from agent_core.domain.wake_ups.wake_up_key import timeout_key
from agent_core.store.tool_calls import approvals, calls, outcomes, timeouts
from tests.support.store_histories.invariants import Checked
from tests.support.store_histories.machine import Run
from tests.support.store_histories.model import Call

picks = st.integers(0, 5)
LATE = "No outcome came in time."
there_are_runs = precondition(lambda self: self.runs)
there_are_calls = precondition(lambda self: self.model.calls)


class CallRules(Checked):
    """Rules that change tool calls."""

    def claim_any_call(self, by: int) -> None:
        if (call := self.call(by)) is not None:
            self.claim_call(call, self.worker(by // 2))

    def claim_call(self, call: Call, who: str) -> None:
        if self.busy(who, call=call):
            return
        claimed, expected = self.do(who, calls.claim, *call, who, {"a"}), self.model.claim_call(call, who)
        assert (claimed and (claimed.attempt, claimed.in_doubt)) == expected
        self.reached["claim_call", claimed is not None] += 1
        if claimed is not None:
            self.runs.append(Run(who, claimed))

    @there_are_runs
    @rule(
        pick=picks,
        how=st.sampled_from(["succeed", "succeed", "succeed", "fail", "retry", "hand_over", "report"]),
        timed=st.booleans(),
    )
    def end_run(self, pick: int, how: str, timed: bool) -> None:
        run = self.old_first(self.runs, lambda run: self.model.runs(run.call, run.claim.attempt), pick)
        if how != "report":
            self.runs.remove(run)
        who, attempt, due = run.worker, run.claim.attempt, self.model.now + 2.0
        if how == "report":
            landed = self.lands(who, calls.report, run.claim, 1)
            assert landed is self.model.runs(run.call, attempt)
        elif how == "retry":
            landed = self.lands(who, calls.retry, run.claim, failed("x"), due)
            assert landed is self.model.put_back(run.call, attempt, due)
        elif how == "hand_over":
            timeout = 5.0 if timed else None
            landed = self.lands(who, timeouts.hand_over, run.claim, timeout)
            assert landed is self.model.hand_over(run.call, attempt, timeout, who)
        else:
            self._outcome(run.call, how == "succeed", who, attempt, run.claim.suspicion)

    @precondition(lambda self: self.numbers % 3 == 0)
    @there_are_calls
    @rule(pick=picks, well=st.booleans(), by=picks)
    def outcome_from_outside(self, pick: int, well: bool, by: int) -> None:
        call = self.call(pick)
        assert call is not None
        self._outcome(call, well, self.process(by), None)

    def _outcome(
        self,
        call: Call,
        well: bool,
        who: str | None,
        attempt: int | None,
        suspicion: Suspicion | None = None,
    ) -> None:
        words = f"outcome {self.number()}"
        output, error = (json.dumps(words), None) if well else (None, words)
        if attempt is None:
            landed = self.lands(who, outcomes.finish_from_outside, call[1], call[0], output, error)
        else:
            end = None if error is None else failed(error)
            ended: dict[str, Any] = {"output": output, "error": end, "attempt": attempt}
            landed = self.lands(who, outcomes.finish, *call, **ended, suspicion=suspicion)
        assert landed is self.model.finish(call, words, "succeeded" if well else "failed", who, attempt)

    def expire(self, by: int) -> None:
        """Expire the calls whose timeouts the worker has taken, and try the others."""
        who = self.worker(by)
        for call in sorted(self.model.calls):
            if timeout_key(*call) in self.model.wakes:
                held = self.model.held(timeout_key(*call), who)
                assert self.lands(who, timeouts.expire, *call, who)
                assert not held or self.model.finish(call, LATE, "failed", who, None)

    @precondition(lambda self: self.numbers % 3 == 1)
    @there_are_calls
    @rule(pick=picks, by=picks, seconds=st.sampled_from([None, 1.0, 9.0]), own=st.booleans())
    def set_timeout(self, pick: int, by: int, seconds: float | None, own: bool) -> None:
        if own and self.runs:
            run = self.runs[pick % len(self.runs)]
            landed = self.lands(run.worker, timeouts.change_own, run.claim, seconds)
            expected = self.model.runs(run.call, run.claim.attempt) and self.model.set_timeout(
                run.call, seconds
            )
        else:
            call = self.call(pick)
            assert call is not None
            landed = self.lands(self.process(by), timeouts.change, call[1], call[0], seconds)
            expected = self.model.set_timeout(call, seconds)
        assert landed is expected

    @precondition(lambda self: self.call(0, "approval"))
    @rule(picks=st.lists(picks, min_size=1, max_size=3), yes=st.booleans(), by=picks, wild=st.booleans())
    def decide(self, picks: list[int], yes: bool, by: int, wild: bool) -> None:
        """Decide several approvals at once; `wild` adds calls that do not wait for one."""
        found = [self.call(pick, *(() if wild and yes else ("approval",))) for pick in picks]
        chosen = sorted({call for call in found if call and found[0] and call[0] == found[0][0]})
        if chosen:
            ids, who = [call[1] for call in chosen], self.process(by)
            given: dict[str, Any] = {"approved": yes, "reason": "No.", "args": None}
            landed = self.lands(who, approvals.decide, chosen[0][0], ids, **given)
            assert landed is self.model.decide(chosen, yes, who)
