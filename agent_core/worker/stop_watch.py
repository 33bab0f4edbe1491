"""What runs here without its fence: stopped, deleted or answered by another process, and ended here."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from agent_core.domain.wake_up_key import step_key
from agent_core.runners.model_runner import Runner
from agent_core.runners.tool_runner import ToolRunner
from agent_core.store.store import Store
from agent_core.worker.workpools import Pools


class FenceWatch:
    """Looks at the fences of what runs here whenever another process may have raised them.

    Args:
        store: the store, open.
        runner: whose steps are looked at.
        tools: whose calls are.
        pools: where both run.
    """

    def __init__(self, store: Store, runner: Runner, tools: ToolRunner, pools: Pools) -> None:
        self._reads = store.reads
        self._runner = runner
        self._tools = tools
        self._pools = pools
        self._pulse = store.settings.pulse  # seconds between looks while others keep writing
        self._foreign = False
        self._looking: asyncio.Task[None] | None = None

    def look(self, touched: Collection[str] | None) -> None:
        """Look soon: another process has written to these threads (None: nobody knows to which)."""
        running = self._pools.threads()
        if running if touched is None else not running.isdisjoint(touched):
            self._foreign = True
            if self._looking is None or self._looking.done():
                self._looking = asyncio.get_running_loop().create_task(self._look())

    def close(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        again = True
        while again or self._foreign:
            # Once more after the last commit: what was claimed just before it is live only now.
            again, self._foreign = self._foreign, False
            await self._end_stopped()
            await asyncio.sleep(self._pulse)

    async def _end_stopped(self) -> None:
        steps, tools = dict(self._runner.live), dict(self._tools.live)
        ids = {claim.thread_id for claim in (*steps.values(), *tools.values())}
        if not ids:
            return
        fences = await asyncio.to_thread(self._reads.fences, list(ids))
        for key, claim in steps.items():
            mine = fences.get(claim.thread_id) == (claim.seq, "streaming")
            if not mine and self._runner.live.get(key) is claim:
                self._pools.steps.end(step_key(claim.thread_id))
        for key, call in tools.items():
            mine = fences.get(call.thread_id) == (call.seq, "awaiting_tool_results")
            if not mine and self._tools.live.get(key) is call:
                self._pools.tools.end(key)
