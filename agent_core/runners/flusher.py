"""Flush the chunks of a running step as deltas, a few times a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agent_core.domain.messages import Chunk
from agent_core.store.database.writer import Writer
from agent_core.store.turns import steps
from agent_core.store.turns.claims import Claim
from agent_core.streaming.fold import merge


class Flusher:
    """Collects the chunks of one step and appends them as deltas, without delaying the model's stream.

    The first chunk is flushed at once, so that readers see the answer begin; later ones wait up to
    `throttle`. Chunks that arrive during a flush wait for the next one, so a slow database gets fewer and
    larger rows and never a queue.

    Args:
        writer: the writer.
        claim: the step; its fence guards every flush.
        throttle: seconds between flushes; None: no flush before the step is committed.
        on_fence_lost: called once when the fence has moved on.
    """

    def __init__(
        self, writer: Writer, claim: Claim, throttle: float | None, on_fence_lost: Callable[[], object]
    ) -> None:
        self._writer = writer
        self._claim = claim
        self._throttle = throttle
        self._on_fence_lost = on_fence_lost
        self._loop = asyncio.get_running_loop()
        self._pending: list[Chunk] = []
        self._timer: asyncio.TimerHandle | None = None
        self._flight: asyncio.Task[None] | None = None
        self._next = 0.0
        self._closed = False
        self.first = True
        """Whether nothing has been flushed yet."""

    def add(self, chunk: Chunk) -> None:
        """Add a chunk to the next flush."""
        self._pending.append(chunk)
        if self._timer is None and self._throttle is not None and self._flight is None:
            self._timer = self._loop.call_at(max(self._next, self._loop.time()), self._start_flush)

    async def flush(self) -> None:
        """Flush the pending chunks at once."""
        while self._flight is not None:
            await asyncio.shield(self._flight)
        if self._pending and not self._closed:
            if self._timer is not None:
                self._timer.cancel()
            await asyncio.shield(self._start_flush())

    async def close(self) -> list[Chunk]:
        """Stop flushing and return the pending chunks, for the step's last write."""
        self._throttle, self._closed = None, True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flight is not None:
            await asyncio.shield(self._flight)
        self._pending = merge(self._pending)
        return self._pending

    def _start_flush(self) -> asyncio.Task[None]:
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
            # Readers wait; the step goes on, and its commit raises if the database still refuses.
            self._pending = chunks + self._pending
            landed = True
        else:
            self.first = False
        self._flight = None
        if not landed:
            self._throttle = None
            self._on_fence_lost()
        elif self._throttle is not None:
            self._next = self._loop.time() + self._throttle
            if self._pending:
                self._timer = self._loop.call_at(self._next, self._start_flush)
