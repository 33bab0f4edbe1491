"""Run schedules that are due, and retry those that could not run."""

from __future__ import annotations

from agent_core.domain.validation import clean_words
from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.errors import DatabaseError
from agent_core.sentences import sentence
from agent_core.store.schedules import runs
from agent_core.store.store import Store
from agent_core.store.tool_calls.calls import UnknownAgent
from agent_core.support.faults import crash_point
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_RETRY_INTERVAL = 15.0  # seconds until a failed run is retried


class ScheduleRunner:
    """Runs schedules.

    Args:
        store: the open store.
    """

    def __init__(self, store: Store) -> None:
        self._writer = store.writer
        self._agents = store.agents
        self._clock = store.clock

    async def run(self, key: WakeUpKey) -> None:
        """Run a schedule if it is due."""
        schedule_id = key.thread_id
        crash_point("schedule.taken")
        try:
            await self._writer.run(runs.fire, schedule_id, self._agents)
        except UnknownAgent as agent:
            await self._wait(schedule_id, sentence("schedule_agent_unknown", agent=str(agent)))
        except DatabaseError:
            raise
        except Exception as error:
            _log.exception("Schedule %s: the run failed.", schedule_id)
            await self._wait(schedule_id, clean_words(error))
        crash_point("schedule.after")

    async def _wait(self, schedule_id: str, why: str) -> None:
        _log.warning("Schedule %s: retry in %g s: %s", schedule_id, _RETRY_INTERVAL, why)
        await self._writer.run(runs.wait, schedule_id, why, self._clock.now() + _RETRY_INTERVAL)
