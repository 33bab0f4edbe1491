"""Writing a stream down while it runs: chunks are gathered and flushed every so often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_core.domain.messages import Chunk
from agent_core.store.database.writer import Writer
from agent_core.store.turns import steps
from agent_core.store.turns.steps import Claim
from agent_core.streaming.fold import merge


class Flusher:
    """Gathers the chunks of one step and appends them as deltas, off the model's path.

    The first chunk is flushed at once, so that the answer begins to show; later ones wait up to
    `throttle`. While one flush is under way the next gathers, so a slow database makes fewer and
    larger rows and never a queue.

    Args:
        writer: the writer.
        claim: the step, whose fence guards every flush.
        throttle: seconds between flushes; None: nothing is flushed before the step is committed.
        lost: called once when the fence has moved on.
    """

    def __init__(
        self, writer: Writer, claim: Claim, throttle: float | None, lost: Callable[[], object]
    ) -> None:
        self._writer = writer
        self._claim = claim
        self._throttle = throttle
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._pending: list[Chunk] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flight: asyncio.Task[None] | None = None
        self._next = 0.0
        self._over = False
        self.first = True

    def add(self, chunk: Chunk) -> None:
        """Take a chunk; it is flushed when its time comes."""
        self._pending.append(chunk)
        if self._timer is None and self._throttle is not None and self._flight is None:
            self._timer = self._loop.call_at(max(self._next, self._loop.time()), self._flush)

    async def now(self) -> None:
        """Flush what there is, whether or not its time has come: somebody else ends the step."""
        while self._flight is not None:
            await asyncio.shield(self._flight)
        if self._pending and not self._over:
            if self._timer is not None:
                self._timer.cancel()
            await asyncio.shield(self._flush())

    async def rest(self) -> list[Chunk]:
        """Stop flushing and return what was not flushed; the step's last write takes it along."""
        self._throttle, self._over = None, True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flight is not None:
            await asyncio.shield(self._flight)
        self._pending = merge(self._pending)
        return self._pending

    def _flush(self) -> asyncio.Task[None]:
        self._timer = None
        self._flight = flight = self._loop.create_task(self._write())
        return flight

    async def _write(self) -> None:
        chunks, self._pending = merge(self._pending), []
        try:
            landed = await self._writer.run_for(
                self._claim.thread_id, steps.flush, self._claim, chunks, self.first
            )
        except Exception:
            # The watchers see less; the step itself goes on and says at its commit what is wrong.
            self._pending = chunks + self._pending
            landed = True
        else:
            self.first = False
        self._flight = None
        if not landed:
            self._throttle = None
            self._lost()
        elif self._throttle is not None:
            self._next = self._loop.time() + self._throttle
            if self._pending:
                self._timer = self._loop.call_at(self._next, self._flush)
