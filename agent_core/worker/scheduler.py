"""APScheduler with queue semantics: its job rows are the wake-ups, and they are leased, not eaten.

As it comes, APScheduler 3 deletes a one-shot job before it runs it, drops a job that is late, stops
its timer when the database fails, and forbids that two schedulers share a store. Here taking due
rows leases them, removing and updating do nothing (the transaction that finishes the work deletes
its row), and the timer always goes on. See docs/decisions/0002-leased-wake-ups.md.
"""

# The border to a library without types:
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportPrivateUsage=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false, reportArgumentType=false

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.job import Job
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy import Engine

from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.store.database.tables import metadata
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_its_log = logging.getLogger("apscheduler.agent_core")
_OURS = "agent_core"  # the executor of our duties; its logger has the same name
for _noisy in (_its_log, logging.getLogger(f"apscheduler.executors.{_OURS}")):
    _noisy.setLevel(logging.ERROR)  # that a duty runs, eleven times a second, or still runs, is no news


class LeasedJobStore(SQLAlchemyJobStore):
    """The wake-up table as a jobstore.

    Args:
        engine: for reading when the next row comes due.
        take: leases due rows to this worker and returns their keys.
    """

    def __init__(self, engine: Engine, take: Callable[[], list[WakeUpKey]]) -> None:
        super().__init__(engine=engine, tablename="unused")
        self.jobs_t = metadata.tables["agent_wake_up"]
        self._take = take

    def start(self, scheduler: Any, alias: str) -> None:
        """Remember the scheduler; the table is the migrations' business."""
        self._scheduler = scheduler
        self._alias = alias

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Lease what is due."""
        return [self._job(key, now) for key in self._take()]

    def remove_job(self, job_id: str) -> None:
        """Do nothing: the scheduler calls this right after submitting, long before the work is done."""

    def update_job(self, job: Job) -> None:
        """Do nothing: the lease has moved the row's time already."""

    def shutdown(self) -> None:
        """Leave the engine to whoever opened it."""

    def _job(self, key: WakeUpKey, now: datetime) -> Job:
        # Rows hold no code: whatever stands in them, the executor hands over a key and no more.
        state: dict[str, Any] = {
            **{"version": 1, "id": str(key), "name": str(key), "func": f"{__name__}:no_op"},
            **{"args": (key,), "kwargs": {}},
            **{"trigger": DateTrigger(now, UTC), "executor": "default", "next_run_time": now},
            **{"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        }
        job: Job = Job.__new__(Job)
        job.__setstate__(state)
        job._scheduler = self._scheduler
        job._jobstore_alias = self._alias
        return job


def no_op() -> None:
    """Stand as the target of every job; the executor below never calls it."""


class HandOver(BaseExecutor):
    """An executor that runs nothing itself: it hands the key to the event loop's workpools."""

    def __init__(self, deliver: Callable[[WakeUpKey], None]) -> None:
        super().__init__()
        self._deliver = deliver

    def submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Hand over; the lease is what keeps a second instance away."""
        self._deliver(*job.args)

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        raise AssertionError("submit_job does it all")


class _GuardedScheduler(BackgroundScheduler):
    poll = 1.0
    crowded = 0.05  # seconds between looks while something is due that there is no room for

    def _process_jobs(self) -> float:
        try:
            wait = super()._process_jobs()
        except Exception:
            if self.running:  # one that was ended meanwhile knows its jobs no more, which is no news
                _log.exception("The scheduler could not look for due work; it looks again.")
            wait = None
        return self.poll if wait is None else min(float(wait) or self.crowded, self.poll)


class Scheduler:
    """The thread that watches the clock: due wake-ups, and the runtime's own regular duties.

    Args:
        engine: for reading when the next wake-up comes due.
        take: leases due wake-ups; called in the scheduler's thread.
        deliver: given each key that was leased; called in the scheduler's thread.
        poll: seconds between looks at the latest.
    """

    def __init__(
        self,
        engine: Engine,
        take: Callable[[], list[WakeUpKey]],
        deliver: Callable[[WakeUpKey], None],
        poll: float,
    ) -> None:
        self._scheduler = _GuardedScheduler(
            jobstores={"default": LeasedJobStore(engine, take), "duties": MemoryJobStore()},
            executors={"default": HandOver(deliver), _OURS: ThreadPoolExecutor(1)},
            timezone=UTC,
            logger=_its_log,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.poll = poll

    def every(self, seconds: float, duty: Callable[[], None]) -> None:
        """Call `duty` in a thread of the scheduler every so often, starting now."""
        self._scheduler.add_job(
            duty,
            IntervalTrigger(seconds=seconds),
            jobstore="duties",
            executor=_OURS,
            next_run_time=datetime.now(UTC),
        )

    def start(self) -> None:
        """Start the thread."""
        self._scheduler.start()

    def wakeup(self) -> None:
        """Look for due work now."""
        if self._scheduler.running:
            self._scheduler.wakeup()

    def shutdown(self) -> None:
        """Stop the thread."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
