"""Work of an agent that this process does not know: left for one that does."""

from __future__ import annotations

from agent_core.clock import Clock
from agent_core.logs import get_logger
from agent_core.store.tx import Tx
from agent_core.store.writer import Writer

_log = get_logger(__name__)
_WAIT = 2.0  # seconds until it is looked at again


async def postpone(writer: Writer, clock: Clock, agent: str, key: str, thread_id: str) -> None:
    """Give up the lease of the wake-up `key`; whoever takes it next may know `agent`."""
    _log.warning("No agent %r is defined here; %s waits for a process that has it.", agent, key)
    await writer.run(_put_back, key, thread_id, clock.now() + _WAIT)


def _put_back(tx: Tx, key: str, thread_id: str, run_at: float) -> None:
    tx.wake.enqueue(tx, key, thread_id, run_at)
