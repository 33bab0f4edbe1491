"""The workpools of a runtime: one for model steps, one for tools, and a desk for what is over at once.

Tools have a pool of their own unless they are given the steps' one: a tool that asks another thread
and waits for the answer would else keep the place that the answer needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent_core.domain.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.store.wake_ups.wake_ups import Defer
from agent_core.worker.workpool import Handler, Workpool

_DESK = 16  # timeouts and schedules are a transaction each and wait for nobody


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How much work of one kind there is, and how long it waits.

    Attributes:
        running: how many run in this process.
        waiting: how many wait in this process for a place.
        due: how many wait in the database for a process that has room.
        oldest_wait: seconds that the oldest of both has waited; 0.0 if none waits.
        max_parallelism: how many may run at once in this process.
    """

    running: int
    waiting: int
    due: int
    oldest_wait: float
    max_parallelism: int

    @property
    def depth(self) -> int:
        """How many wait, here and in the database."""
        return self.waiting + self.due


class Pools:
    """Which work goes where.

    Args:
        steps: where model steps run.
        tools: where tools run; by default a pool of the same size and with the same engine.
    """

    def __init__(self, steps: Workpool | None, tools: Workpool | None) -> None:
        self.steps = steps or Workpool()
        self.tools = tools or self.steps.another()
        self.desk = Workpool(_DESK)
        self._by_kind = {WakeUpKind.STEP: self.steps, WakeUpKind.TOOL: self.tools}
        self._coming: set[WakeUpKey] = set()  # taken in the scheduler's thread, not here on the loop yet

    def __iter__(self) -> Iterator[Workpool]:
        """Go through the pools, each once."""
        return iter({self.steps, self.tools, self.desk})

    def of(self, key: WakeUpKey) -> Workpool:
        """Return the pool in which `key` runs."""
        return self._by_kind.get(key.kind, self.desk)

    def defer_for(self, key: WakeUpKey) -> Defer | None:
        """Return what hands `key` to the engine of its pool; None where the pool has none."""
        engine = self.of(key).engine
        return None if engine is None else engine.defer

    def prepare(self) -> None:
        """Let every engine make what it needs in the database; blocks."""
        for engine in {id(pool.engine): pool.engine for pool in self if pool.engine is not None}.values():
            engine.prepare()

    def room(self) -> dict[str, int]:
        """Return how many more of each kind of work could begin now, kinds without room left out."""
        found = {"other": self.desk}
        if self.steps is self.tools:
            found["work"] = self.steps
        else:
            found |= {"step": self.steps, "tool": self.tools}
        taken = [self.of(key) for key in tuple(self._coming)]
        room = {kind: pool.free - taken.count(pool) for kind, pool in found.items()}
        return {kind: free for kind, free in room.items() if free > 0}

    def expect(self, keys: Sequence[WakeUpKey]) -> None:
        """Keep a place for what was taken until it arrives; from any thread."""
        self._coming.update(keys)

    def submit(self, key: WakeUpKey, handler: Handler) -> None:
        """Run `handler(key)` as soon as there is room; call it on the event loop."""
        self.of(key).submit(key, handler)
        self._coming.discard(key)

    def holds(self, key: WakeUpKey) -> bool:
        """Whether the key waits or runs here."""
        return self.of(key).holds(key)

    def cancel(self, thread_id: str) -> None:
        """Cancel what runs for a thread and forget what waits for it."""
        for pool in self:
            pool.cancel(thread_id)

    def threads(self) -> set[str]:
        """Return the ids of the threads for which a step or a tool runs."""
        return {key.thread_id for pool in (self.steps, self.tools) for key in pool.running()}

    def complain(self) -> None:
        """Warn of a pool in which nothing moves."""
        for pool in self:
            pool.complain()

    def stats(self, due: Mapping[str | None, tuple[int, float]]) -> dict[str, QueueStats]:
        """Return the figures of steps and tools; `due` holds (count, seconds) by kind."""
        return {
            "steps": _stats(self.steps, WakeUpKind.STEP, due),
            "tools": _stats(self.tools, WakeUpKind.TOOL, due),
        }


def _stats(pool: Workpool, kind: WakeUpKind, due: Mapping[str | None, tuple[int, float]]) -> QueueStats:
    running = sum(key.kind == kind for key in pool.running())
    waits = [seconds for key, seconds in pool.waiting() if key.kind == kind]
    count, oldest = due.get(kind, (0, 0.0))
    return QueueStats(running, len(waits), count, max([*waits, oldest]), pool.max_parallelism)
