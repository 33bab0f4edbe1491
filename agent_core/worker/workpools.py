"""Group the workpools of a worker: one for model steps, one for tools, one for timeouts and schedules.

Tools have a workpool of their own by default: a tool that waits for another thread's answer would otherwise
hold the slot that the answer needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent_core.domain.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.store.wake_ups.due_work import DueWork
from agent_core.store.wake_ups.wake_ups import Defer
from agent_core.worker.workpool import Handler, Workpool

_OTHER_PARALLELISM = 16  # a timeout or a schedule is one short transaction


@dataclass(frozen=True, slots=True)
class QueueStats:
    """The work of one kind, and how long it waits.

    Attributes:
        running: number of keys that run in this process.
        waiting: number of keys that wait in this process for a slot.
        due: number of wake-ups that wait in the database for a process with room.
        oldest_wait: seconds that the oldest of the latter two has waited; 0.0 if none waits.
        max_parallelism: number of keys that may run at once in this process.
    """

    running: int
    waiting: int
    due: int
    oldest_wait: float
    max_parallelism: int

    @property
    def depth(self) -> int:
        """Number of keys that wait, in this process and in the database."""
        return self.waiting + self.due


class Workpools:
    """The workpools of a worker, by the kind of work.

    Args:
        steps: the workpool of model steps.
        tools: the workpool of tools; by default another of the same size and with the same engine.
    """

    def __init__(self, steps: Workpool | None, tools: Workpool | None) -> None:
        self.steps = steps or Workpool()
        self.tools = tools or self.steps.another()
        self.others = Workpool(_OTHER_PARALLELISM)
        self._by_kind = {WakeUpKind.STEP: self.steps, WakeUpKind.TOOL: self.tools}
        self._expected: set[WakeUpKey] = (
            set()
        )  # leased in the scheduler's thread, not submitted on the loop yet

    def __iter__(self) -> Iterator[Workpool]:
        """Iterate over the workpools, each once."""
        return iter({self.steps, self.tools, self.others})

    def of(self, key: WakeUpKey) -> Workpool:
        """Return the workpool of a key."""
        return self._by_kind.get(key.kind, self.others)

    def defer_for(self, key: WakeUpKey) -> Defer | None:
        """Return the `defer` of the engine that delivers `key`; None if the scheduler does."""
        engine = self.of(key).engine
        return None if engine is None else engine.defer

    def prepare(self) -> None:
        """Let every engine prepare the database; blocks."""
        for engine in {id(pool.engine): pool.engine for pool in self if pool.engine is not None}.values():
            engine.prepare()

    def room(self) -> dict[str, int]:
        """Return the number of keys that could start now, by kind; kinds without room are left out."""
        found = {"other": self.others}
        if self.steps is self.tools:
            found["work"] = self.steps
        else:
            found |= {"step": self.steps, "tool": self.tools}
        taken = [self.of(key) for key in tuple(self._expected)]
        room = {kind: pool.free - taken.count(pool) for kind, pool in found.items()}
        return {kind: free for kind, free in room.items() if free > 0}

    def expect(self, keys: Sequence[WakeUpKey]) -> None:
        """Reserve room for leased keys until they are submitted; call it from any thread."""
        self._expected.update(keys)

    def submit(self, key: WakeUpKey, handler: Handler) -> None:
        """Run `handler(key)` as soon as there is room. Call it on the event loop."""
        self.of(key).submit(key, handler)
        self._expected.discard(key)

    def holds(self, key: WakeUpKey) -> bool:
        """Whether the key waits or runs here."""
        return self.of(key).holds(key)

    def cancel(self, thread_id: str) -> None:
        """Cancel the running keys of a thread and drop the waiting ones."""
        for pool in self:
            pool.cancel(thread_id)

    def threads(self) -> set[str]:
        """Return the ids of the threads with a running step or tool."""
        return {key.thread_id for pool in (self.steps, self.tools) for key in pool.running()}

    def warn_of_standstill(self) -> None:
        """Warn of each workpool that is full and starts nothing."""
        for pool in self:
            pool.warn_of_standstill()

    def stats(self, due: Mapping[str | None, DueWork]) -> dict[str, QueueStats]:
        """Return the figures of steps and tools; `due` is the work in the database, by kind."""
        return {
            "steps": _stats(self.steps, WakeUpKind.STEP, due),
            "tools": _stats(self.tools, WakeUpKind.TOOL, due),
        }


def _stats(pool: Workpool, kind: WakeUpKind, due: Mapping[str | None, DueWork]) -> QueueStats:
    running = sum(key.kind == kind for key in pool.running())
    waits = [seconds for key, seconds in pool.waiting() if key.kind == kind]
    in_database = due.get(kind, DueWork(0, 0.0))
    oldest = max([*waits, in_database.oldest_wait])
    return QueueStats(running, len(waits), in_database.wake_ups, oldest, pool.max_parallelism)
