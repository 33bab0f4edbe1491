"""Share work with the other workers of the database.

A worker takes its fair share of what is due, and leaves new turns beyond its share to the others. What follows in
a turn stays in its process, unless that holds clearly more than its part. See
docs/decisions/0024-how-work-spreads.md.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from agent_core.domain.wake_ups.fair_share import Load, fair_part, fair_share
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey, WakeUpKind
from agent_core.store.store import Store
from agent_core.store.wake_ups import workers
from agent_core.store.wake_ups.workers import Fleet, WorkerInfo
from agent_core.worker.workpool import Workpools

_MIN_SURPLUS = 2  # turns above its part that a worker keeps: handing one over costs a read of its history


@dataclass
class _View:
    """The workers at the last look, and what this process has decided since.

    Attributes:
        kept: number of turns that were begun here, less those that were handed over.
        left: number of turns that were left to the others.
        most: number of turns above which this worker hands over the next step of a turn.
    """

    fleet: Fleet = field(default_factory=Fleet)
    most: float = float("inf")
    kept: int = 0
    left: int = 0


class Spread:
    """Decides how much work this worker takes, and which of its new work stays with it.

    The decisions are estimates, corrected by each look at the database: they move work, and never lose or double
    it, since the wake-up rows decide who runs what.

    Attributes:
        is_leaving: whether this worker takes no more work, because it is about to close.
    """

    def __init__(self, store: Store, pools: Workpools, delay: float) -> None:
        self._store = store
        self._reads = store.reads
        self._pools = pools
        self._delay = delay
        self.is_leaving = False
        self._started_at = store.clock.now()
        self._view = _View()

    @property
    def info(self) -> WorkerInfo:
        """What this worker announces of itself."""
        steps, tools = self._pools.steps, self._pools.tools
        return WorkerInfo(
            self._store.process,
            socket.gethostname(),
            self._started_at,
            steps.max_parallelism,
            None if tools is steps else tools.max_parallelism,
            list(self._store.agents),
            None if steps.engine is None else type(steps.engine).__name__,
        )

    @property
    def peers(self) -> int:
        """Number of the other workers with which this one shared work at its last look."""
        return len(self._view.fleet.peers)

    def look(self) -> None:
        """Read which workers live and what they hold."""
        store = self._store
        fleet = self._reads.read(
            workers.fleet,
            store.process,
            list(store.agents),
            store.clock.now(),
            store.settings.lease,
            self._delay,
        )
        self._view = _View(fleet, self._most(fleet))

    def _most(self, fleet: Fleet) -> float:
        if not fleet.peers:
            return float("inf")
        kind, pool = WakeUpKind.STEP, self._pools.steps
        due, others = fleet.due_of(kind).wake_ups, [peer.load(kind) for peer in fleet.peers]
        part = fair_part(Load(fleet.held, pool.free), others, due)
        return part + max(_MIN_SURPLUS, part // 8)

    def share(self, room: Mapping[str, int], *, suspect: bool = False) -> dict[str, int]:
        """Return how much due work of each kind this worker takes, within `room`."""
        fleet = self._view.fleet
        if not fleet.peers:
            return dict(room)
        shares = dict(room)
        for kind in room.keys() - {"other", "outbox"}:
            due, others = fleet.due_of(kind, suspect=suspect), [peer.load(kind) for peer in fleet.peers]
            share = max(fair_share(due.wake_ups, Load(fleet.held, room[kind]), others), due.overdue)
            shares[kind] = min(room[kind], share)
        return {kind: share for kind, share in shares.items() if share}

    def keeps(self, key: WakeUpKey, fresh: bool) -> bool:
        """Whether work that can start now is leased to this process; called in the writer's thread.

        Args:
            fresh: whether it begins a turn.
        """
        if self.is_leaving:
            return False
        if fresh:
            return self._keeps_turn(key)
        if key.kind is WakeUpKind.OUTBOX:
            return self._pools.delivers and self._pools.room_for(key) > 0
        view = self._view
        if key.kind is not WakeUpKind.STEP or view.fleet.held + view.kept <= view.most:
            return True
        view.kept -= 1
        view.left += 1
        return False

    def _keeps_turn(self, key: WakeUpKey) -> bool:
        view, kind = self._view, key.kind
        room = self._pools.room_for(key)
        stays = room > 0 and self._pools.steps.max_per_user is None  # a limit is checked when work is taken
        if stays and view.fleet.peers and self._pools.busy:
            due = view.fleet.due_of(kind).wake_ups + view.left + 1
            mine = Load(view.fleet.held + view.kept, room)
            stays = fair_share(due, mine, [peer.load(kind) for peer in view.fleet.peers]) > 0
        if stays:
            self._pools.expect([key])
            view.kept += 1
        else:
            view.left += 1
        return stays
