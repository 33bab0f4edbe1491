"""Work of an agent that this process does not know: left for one that does."""

from __future__ import annotations

from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.store.database.writer import Writer
from agent_core.store.threads import absent_agents
from agent_core.support.clock import Clock
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_RETRY_INTERVAL = 2.0  # seconds until it is looked at again


async def postpone(writer: Writer, clock: Clock, agent: str, key: WakeUpKey) -> None:
    """Give up the lease of the wake-up `key`; whoever takes it next may know `agent`."""
    if await writer.run(absent_agents.put_back, key, agent, clock.now() + _RETRY_INTERVAL):
        _log.warning("No agent %r is defined here; %s waits for a process that has it.", agent, key)
