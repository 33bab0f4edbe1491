"""Rules of the store's random histories: all actions of users and workers, and all accidents."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from agent_core import errors
from agent_core.domain.states import IDLE, OPEN_CALLS, CallStatus
from agent_core.store.reads import search
from agent_core.store.threads import search_index, suspects, usage_totals
from agent_core.store.turns import claims, deletion, steps, turns
from agent_core.store.wake_ups import due_work, workers
from agent_core.store.wake_ups.workers import WorkerInfo
from tests.support.store_histories.branch_rules import BranchRules
from tests.support.store_histories.call_rules import picks
from tests.support.store_histories.machine import Step, message
from tests.support.store_histories.model import LEASE, Wake

_kinds = st.sampled_from([CallStatus.PENDING, CallStatus.PENDING, CallStatus.APPROVAL, CallStatus.FAILED])
some_calls = st.one_of(st.just([]), *[st.lists(_kinds, min_size=1, max_size=3)] * 2)
CIRCUMSTANCES = (
    *("advance", "advance", "advance", "take", "take", "heartbeat", "expire", "expire"),
    *("die", "take_over", "restart", "reconcile", "delete", "stop", "stop", "resume", "resume", "resume"),
    *("oversleep", "settle"),
    *("claim_any_step", "claim_any_step", "claim_any_step"),
    *("claim_any_call", "claim_any_call", "claim_any_call", "claim_any_call"),
)
there_are_threads = precondition(lambda self: self.model.threads)
there_are_steps = precondition(lambda self: self.steps)


class StoreMachine(BranchRules):
    """The rules."""

    # threads and turns

    @initialize()
    def first(self) -> None:
        self.create(run=True, by=0)

    @precondition(lambda self: len(self.model.threads) < 2)
    @rule(run=st.booleans(), by=picks)
    def create(self, run: bool, by: int) -> None:
        name, first, who = f"t{self.number()}", f"u{self.number()}", self.process(by)
        given: dict[str, Any] = {"agent": "a", "title": None, "user_id": None, "metadata": {}}
        self.do(who, turns.create, name, messages=[message(first)], run=run, **given)
        self.model.create(name, first, run, who)

    @there_are_threads
    @rule(
        pick=picks,
        how=st.sampled_from(["reject", "queue", "queue", "queue", "interrupt"]),
        by=picks,
        again=st.booleans(),
    )
    def send(self, pick: int, how: Any, by: int, again: bool) -> None:
        name, who = self.thread(pick), self.process(by)
        thread = self.model.threads[name]
        sent = [*thread["order"], *thread["queued"]]
        words = next(filter(lambda known: known[0] == "u", sent)) if again else f"u{self.number()}"
        if not again and how == "reject" and thread["status"] not in IDLE:
            with pytest.raises(errors.ThreadBusyError):
                self.do(who, turns.send, name, message(words), how)
        else:
            landed = self.do(who, turns.send, name, message(words), how) is not None
            assert landed is self.model.send(name, words, how, who)

    def resume(self, by: int) -> None:
        if not self.model.threads:
            return
        name, who = self.thread(by), self.process(by)
        if self.model.threads[name]["status"] in IDLE:
            assert self.do(who, turns.resume, name, None) is self.model.resume(name, who)
        else:
            with pytest.raises(errors.ThreadBusyError):
                self.do(who, turns.resume, name, None)

    def delete(self, by: int) -> None:
        if self.model.threads:
            name = self.thread(by)
            self.deleted += self.used("where thread_id = ?", [name])
            self.do(self.process(by), deletion.delete_thread, name)
            self.model.delete(name)
            self.views.pop(name, None)
            self.derived_rows_hold()

    # wake-ups, time, death

    @rule(what=st.sampled_from(CIRCUMSTANCES), by=picks)
    def circumstance(self, what: str, by: int) -> None:
        """One rule for all of these, so that they don't crowd out the work."""
        getattr(self, what)(by)

    @rule(by=picks)
    def derive(self, by: int) -> None:
        """A worker derives rows from those of threads; a rule of its own, so that it happens to a thread twice."""
        if by % 4 == 0:
            self.index(by // 4)
        else:
            self.count_usage(by)

    def count_usage(self, by: int) -> None:
        self.do(self.worker(by), usage_totals.count_idle)
        self.derived_rows_hold()

    def index(self, by: int) -> None:
        """Index a thread by its words of now, or a worker that was late does, by those of an earlier moment."""
        if by % 3 == 0 and self.read is not None:
            self.do(self.worker(by), search_index.put, *self.read)
        elif self.model.threads:
            name = self.thread(by)
            found = self.reads.read(search.text_of_thread, name)
            assert found is not None
            if by % 2:
                self.do(self.worker(by), search_index.put, name, *found)
                assert not self.do(self.worker(by + 1), search_index.put, name, *found)
            self.read = name, found.cursor, found.words

    def advance(self, by: int) -> None:
        self.clock.advance([0.5, 3.0, LEASE + 0.1][by % 3])
        self.model.now = self.clock.now()

    @precondition(lambda self: self.runs or (self.steps and self.numbers % 2))
    @rule(by=picks)
    def oversleep(self, by: int) -> None:
        """A worker that holds something sleeps until its leases have run out, and another one takes it."""
        held = [*self.runs, *self.steps]
        sleeper = held[by % len(held)].worker if held else self.workers[0]
        self.advance(2)
        self.work(1 - self.workers.index(sleeper))

    def settle(self, by: int) -> None:
        """When all that is due was taken and claimed, no wake-up is left of what is over."""
        self.advance(2)
        while self.model.due() or self.model.suspects() or self.model.late():
            self.work(by)
            self.expire(by)
        for key in self.model.wakes:
            kind, name, call_id = key
            call = self.model.calls.get((name, call_id), {"status": ""})
            if kind == "step":
                assert self.model.threads[name]["status"] == "streaming", key
            else:
                assert call["status"] in OPEN_CALLS - {"approval"}, key

    def heartbeat(self, by: int) -> None:
        who = self.worker(by)
        self.advance(1)
        self.do(who, self.wake_ups(who).extend)
        self.model.push(who, self.model.now + LEASE, who)

    def take(self, by: int, most: int = 3) -> None:
        who = self.worker(by)
        self.expire_leases(who)
        due = self.model.due()
        working = {key for key, wake in self.model.wakes.items() if wake.worker and key.kind != "timeout"}
        running = {key.thread_id for key in working}
        leased = self.do(who, self.wake_ups(who).take, {"work": most, "other": most})
        taken = [one.key for one in leased]
        late = [key for key in due if key.kind == "timeout"]
        work = {key: self.model.wakes[key].due for key in due if key not in late}
        chosen = [key for key in taken if key in work]
        assert set(taken) <= set(due)
        assert len(set(taken)) == len(taken) == min(most, len(work)) + min(most, len(late))
        of = [key.thread_id for key in work]
        places = [(name in running) + n for name in set(of) for n in range(of.count(name))]
        got = [key.thread_id for key in chosen]
        took = [(name in running) + n for name in set(got) for n in range(got.count(name))]
        assert sorted(took) == sorted(places)[: len(took)], "not in turn"
        for name in of:  # of each thread, the work due for longest is chosen
            mine = [key for key in work if key.thread_id == name]
            newest = max((work[key] for key in mine if key in chosen), default=0.0)
            assert all(work[key] >= newest for key in mine if key not in chosen)
        for key in taken:
            self.model.wakes[key] = Wake(self.model.now + LEASE, who)
        self.admit(who)

    def expire_leases(self, who: str) -> None:
        """Sleep through the leases: others take the worker for dead, and it only extends its own."""
        late = self.model.late()
        assert late == set(self.reads.read(due_work.expired, self.model.now))
        for gone in sorted(late - {who}):
            self.do(who, workers.announce, WorkerInfo(gone, "host", 0.0, 1, None, []))  # it has not left
            self.do(who, self.wake_ups(who).expire, gone, alive=False)
            self.model.bury(gone)
        if who in late:
            self.do(who, self.wake_ups(who).extend)
            self.model.push(who, self.model.now + LEASE, who)

    def admit(self, who: str) -> None:
        """Whom to admit is for `agent_core.domain.wake_ups.suspects` to say; here they all are."""
        found = self.model.suspects()
        free = [
            one.key
            for one in self.reads.read(suspects.found)
            if one.worker is None and one.due <= self.model.now
        ]
        assert sorted(free) == found
        assert [one.key for one in self.do(who, self.wake_ups(who).admit, found)] == found
        for key in found:
            held = self.model.wakes[key].held
            self.model.wakes[key] = Wake(self.model.now + LEASE, who, held)
        self.reached["admit", bool(found)] += 1

    def die(self, by: int) -> None:
        self.bury(self.worker(by))

    def take_over(self, by: int) -> None:
        """A worker on the same machine sees the lock file that the kernel let go."""
        gone = self.dead.pop() if self.dead else "nobody"
        if by % 3:
            self.do(self.worker(by), self.wake_ups(self.worker(by)).bury, gone)
            self.model.bury(gone)
        else:  # a worker that was about to end on purpose
            self.do(self.worker(by), self.wake_ups(self.worker(by)).release, gone)
            self.model.push(gone, self.model.now, None)

    def restart(self, _by: int) -> None:
        """Everything ends at once; the rows are all that is left."""
        for worker in list(self.workers):
            self.bury(worker)
        self.close()
        self.open()
        self.views.clear()

    def reconcile(self, by: int) -> None:
        """The net under all paths finds nothing: each transaction has left its wake-ups."""
        assert self.do(self.worker(by), self.wake_ups(self.worker(by)).missing) == 0

    # model steps

    def claim_any_step(self, by: int) -> None:
        if self.model.threads:
            self.claim_step(self.thread(by), self.worker(by // 2))

    def claim_step(self, name: str, who: str) -> None:
        if self.busy(who, step=name):
            return
        claimed, expected = self.do(who, claims.claim, name, who, {"a"}), self.model.claim(name, who)
        assert (claimed and (claimed.seq, claimed.attempt, claimed.crashes, claimed.steps)) == expected
        self.reached["claim", claimed is not None] += 1
        if claimed is not None:
            self.steps.append(Step(who, claimed))

    @rule(by=picks)
    def work(self, by: int) -> None:
        """Take what is due and claim all that is leased to this worker, as its scheduler makes it do."""
        self.take(by)
        who = self.worker(by)
        for key, wake in sorted(self.model.wakes.items()):
            owner = wake.worker
            kind, name, call_id = key
            if owner == who and kind == "step":
                self.claim_step(name, who)
            elif owner == who and kind == "tool":
                self.claim_call((name, call_id), who)

    @precondition(lambda self: any(held.said < 2 for held in self.steps))
    @rule(pick=picks)
    def flush(self, pick: int) -> None:
        held = self.step(pick)
        chunks = held.say()
        landed = self.lands(held.worker, steps.flush, held.claim, chunks, not held.chunks)
        assert landed is self.model.flush(held.name, held.claim.seq)
        held.chunks += chunks

    @there_are_steps
    @rule(pick=picks, made=some_calls)
    def commit_step(self, pick: int, made: list[CallStatus]) -> None:
        held = self.step(pick)
        self.steps.remove(held)
        new = {f"c{self.number()}": status for status in made}
        landed = self.commit(held, new)
        assert landed is self.model.commit(held.name, held.claim.seq, dict(new), held.worker)

    @precondition(lambda self: len(self.steps) > 1 or self.numbers % 3 == 0)
    @there_are_steps
    @rule(pick=picks, how=st.sampled_from(["retry", "retry", "fail", "release"]), more=st.booleans())
    def end_attempt(self, pick: int, how: str, more: bool) -> None:
        held = self.step(pick)
        self.steps.remove(held)
        rest, due = (held.say() if more else []), self.model.now + (2.0 if how == "retry" else 0.0)
        arguments: dict[str, tuple[Any, ...]] = {
            "retry": (rest, {"attempt": 2, "next_at": due, "error": "x", "kind": "network"}),
            "fail": ("x", "auth", rest),
            "release": (rest, due),
        }
        landed = self.lands(held.worker, getattr(steps, how), held.claim, *arguments[how])
        assert landed is self.model.end_attempt(held.name, held.claim.seq, how, more, due)
