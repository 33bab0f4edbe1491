"""Cancel local work whose fencing token is stale: another process stopped, deleted or answered it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from agent_core.domain.states import ThreadStatus
from agent_core.domain.wake_ups.wake_up_key import step_key
from agent_core.runners.model_runner import ModelRunner
from agent_core.runners.tool_runner import ToolRunner
from agent_core.store.reads.reader import Fence
from agent_core.store.store import Store
from agent_core.worker.workpool import Workpools


class StopWatch:
    """Compares the fences of running work with the rows after commits of other processes."""

    def __init__(self, store: Store, steps: ModelRunner, tools: ToolRunner, pools: Workpools) -> None:
        self._reads = store.reads
        self._steps = steps
        self._tools = tools
        self._pools = pools
        self._pulse = store.settings.pulse  # seconds between reads while other processes keep writing
        self._foreign = False
        self._checking: asyncio.Task[None] | None = None

    def check(self, touched: Collection[str] | None) -> None:
        """Check soon, because another process has written to these threads (None: to any)."""
        running = self._pools.threads()
        if running if touched is None else not running.isdisjoint(touched):
            self._foreign = True
            if self._checking is None or self._checking.done():
                self._checking = asyncio.get_running_loop().create_task(self._check())

    def close(self) -> None:
        """Stop checking."""
        if self._checking is not None:
            self._checking.cancel()

    async def _check(self) -> None:
        again = True
        while again or self._foreign:
            # Once more after the last commit: work that was claimed just before it is in `live` only now.
            again, self._foreign = self._foreign, False
            await self._cancel_stale()
            await asyncio.sleep(self._pulse)

    async def _cancel_stale(self) -> None:
        steps, tools = dict(self._steps.live), dict(self._tools.live)
        ids = {claim.thread_id for claim in (*steps.values(), *tools.values())}
        if not ids:
            return
        fences = await asyncio.to_thread(self._reads.fences, list(ids))
        for key, claim in steps.items():
            is_held = fences.get(claim.thread_id) == Fence(claim.seq, ThreadStatus.STREAMING)
            if not is_held and self._steps.live.get(key) is claim:
                self._pools.steps.cancel_key(step_key(claim.thread_id))
        for key, call in tools.items():
            is_held = fences.get(call.thread_id) == Fence(call.seq, ThreadStatus.AWAITING)
            if not is_held and self._tools.live.get(key) is call:
                self._pools.tools.cancel_key(key)
