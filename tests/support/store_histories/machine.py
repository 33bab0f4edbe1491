"""State machine for random histories of the store: two workers, a server, a clock, zombies and restarts.

Each rule runs one transaction on the real store with a real file, and the same in `BranchModel`; the
invariants then compare both. A worker keeps its claims after their fence has moved on, so stale fences are
used as often as new ones. The claims of a dead worker are lost, but its leases remain.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from agent_core import errors
from agent_core.domain.messages import Chunk
from agent_core.domain.states import CallStatus
from agent_core.domain.usage import Tally
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.store.database.open import opened
from agent_core.store.database.sql import dump
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.reads.reader import Reads
from agent_core.store.threads.messages import NewMessage
from agent_core.store.tool_calls.calls import ClaimedCall, NewCall
from agent_core.store.turns import steps
from agent_core.store.turns.claims import Claim
from agent_core.store.wake_ups.wake_ups import LeasedWakeUps
from agent_core.streaming.fold import ThreadView, fold
from agent_core.testing import FakeClock
from tests.support.agents import prepare
from tests.support.store_histories.branch_model import BranchModel
from tests.support.store_histories.model import LEASE, Call

R = TypeVar("R")
Held = TypeVar("Held")
MISSED = (
    FenceLost,
    errors.ThreadNotFoundError,
    errors.ToolCallFinishedError,
    errors.ToolCallNotFoundError,
)


@dataclass(eq=False)
class Step:
    """A claim of a model step, and its runner's state in memory."""

    worker: str
    claim: Claim
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    said: int = 0

    @property
    def name(self) -> str:
        return self.claim.thread_id

    def say(self) -> list[Chunk]:
        """Return the next text chunk, preceded by the start of the stream for the first one."""
        opening: list[Chunk] = (
            [] if self.chunks else [{"type": "start-step"}, {"type": "text-start", "id": "1"}]
        )
        words: Chunk = {"type": "text-delta", "id": "1", "delta": f"{self.claim.seq}.{self.said} "}
        self.said += 1
        return [*opening, words]

    def ends(self, calls: dict[str, CallStatus]) -> list[Chunk]:
        closing: list[Chunk] = [*self.say(), {"type": "text-end", "id": "1"}]
        return closing + [
            {"type": "tool-input-available", "toolCallId": name, "toolName": "f", "input": {}}
            for name in calls
        ]


@dataclass(eq=False)
class Run:
    """A claim of a tool call."""

    worker: str
    claim: ClaimedCall

    @property
    def call(self) -> Call:
        return self.claim.thread_id, self.claim.id


class Machine(RuleBasedStateMachine):
    """Base of the rules: the database, the live workers and their claims."""

    reached: ClassVar[Counter[tuple[str, bool]]] = Counter()
    """Number of landed and missed writes of each kind, over all histories."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="machine-"))
        self.path = prepare(self._folder / "agents.db")
        self.clock, self.model = FakeClock(), BranchModel()
        self.model.now = self.clock.now()
        self.workers = ["a0", "b0"]
        self.dead: list[str] = []
        self.steps: list[Step] = []
        self.runs: list[Run] = []
        self.views: dict[str, ThreadView] = {}
        self.before: dict[str, dict[Any, Any]] = {"threads": {}, "streams": {}, "calls": {}}
        self.numbers = 0
        self.deleted = Tally()
        """The usage of deleted threads."""
        self.read: tuple[str, int, set[str]] | None = None
        """A thread, its cursor and its words, as a worker has read them."""
        self.open()

    def open(self) -> None:
        self._stack = contextlib.ExitStack()
        engine, reading, _ = self._stack.enter_context(opened(f"sqlite:///{self.path}", "NORMAL"))
        self.reads, self._dialect = Reads(reading), engine.dialect
        self.rows = self._stack.enter_context(contextlib.closing(sqlite3.connect(self.path)))
        self._connection: Any = self._stack.enter_context(contextlib.closing(engine.raw_connection()))

    def close(self) -> None:
        self._stack.close()

    def teardown(self) -> None:
        self.close()
        shutil.rmtree(self._folder)

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def wake_ups(self, worker: str | None) -> LeasedWakeUps:
        wake_ups = LeasedWakeUps(worker or "nobody", LEASE)
        wake_ups.worker = None if worker is None else Idle()
        return wake_ups

    def do(self, by: str | None, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Run one write transaction in the process of `by`, as the writer does."""
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        try:
            tx = Tx(cursor, self._dialect, self.wake_ups(by), self.clock.now())
            result = function(tx, *args, **kwargs)
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise
        finally:
            cursor.close()
        return result

    def lands(self, by: str | None, function: Callable[..., Any], *args: Any, **kwargs: Any) -> bool:
        """Return whether a write landed; a stale fence, another state or a missing row makes it miss."""
        try:
            landed = self.do(by, function, *args, **kwargs) is not False
        except MISSED:
            landed = False
        self.reached[function.__name__, landed] += 1
        return landed

    # choices: numbers pick from the existing items, so that failing histories shrink

    def thread(self, pick: int) -> str:
        return sorted(self.model.threads)[pick % len(self.model.threads)]

    def call(self, pick: int, *statuses: str) -> Call | None:
        found = [key for key, call in self.model.calls.items() if not statuses or call["status"] in statuses]
        return sorted(found)[pick % len(found)] if found else None

    def step(self, pick: int) -> Step:
        return self.old_first(self.steps, lambda held: self.model.live(held.name, held.claim.seq), pick)

    def old_first(self, held: list[Held], is_live: Callable[[Held], bool], pick: int) -> Held:
        """Pick a claim; those with stale fences come first."""
        return sorted(held, key=is_live)[pick // 2 % len(held)]

    def worker(self, pick: int) -> str:
        return self.workers[pick % 2]

    def process(self, pick: int) -> str | None:
        """Return one of the workers, or None for the server without a worker."""
        return [*self.workers, None][pick % 3]

    def busy(self, worker: str, *, step: str = "", call: Call | None = None) -> bool:
        """Return whether this process still runs the work; its workpool would not begin it twice."""
        if call is not None:
            return any(
                run.worker == worker and run.call == call and self.model.runs(call, run.claim.attempt)
                for run in self.runs
            )
        return any(held.worker == worker and self.model.live(step, held.claim.seq) for held in self.steps)

    def bury(self, worker: str) -> None:
        """End a process and drop its memory; its successor has a new name."""
        self.dead.append(worker)
        self.workers[self.workers.index(worker)] = worker[0] + str(self.number())
        self.steps = [held for held in self.steps if held.worker != worker]
        self.runs = [run for run in self.runs if run.worker != worker]

    def commit(self, held: Step, calls: dict[str, CallStatus]) -> bool:
        rest = held.ends(calls)
        parts = fold([*held.chunks, *rest])
        made = [
            NewCall(name, "f", "{}", status, "no such tool" if status is CallStatus.FAILED else None)
            for name, status in calls.items()
        ]
        for part in parts:
            part.pop("input", None)  # stored in the call's own row
        values: dict[str, Any] = {"parts": parts, "chunks": rest, "new_calls": made, "usage": None}
        if held.claim.seq % 2:
            values["usage"] = dump({"total_tokens": held.claim.seq, "cost": 0.5, "model": "m"})
        return self.lands(held.worker, steps.commit, held.claim, **values, first=not held.chunks)


def message(name: str) -> NewMessage:
    return NewMessage(name, "user", [{"type": "text", "text": f"I am {name}"}], {})


class Idle:
    """A worker that finds its work in the rows only."""

    def keeps(self, key: WakeUpKey, fresh: bool) -> bool:
        return True

    def dispatch(self, key: WakeUpKey, user_id: str | None = None) -> None: ...

    def cancel(self, thread_id: str) -> None: ...

    def notify(self) -> None: ...

    def on_foreign_commit(self, touched: Collection[str] | None) -> None: ...

    async def flush(self, thread_id: str) -> None: ...
