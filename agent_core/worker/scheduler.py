"""Give APScheduler the semantics of a queue: its job rows are the wake-ups, which are leased.

Out of the box, APScheduler 3 deletes a one-shot job before it runs, drops a late job, stops its timer when the
database fails, and does not let two schedulers share a store. Here due rows are leased, removing and updating do
nothing (the transaction that finishes the work deletes the row), and the timer always continues.
See docs/decisions/0002-leased-wake-ups.md.
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

from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.store.database.tables import metadata
from agent_core.store.wake_ups import due_work
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_apscheduler_log = logging.getLogger("apscheduler.agent_core")
_DUTIES = "agent_core"  # the executor of the regular duties; its logger has the same name
for _noisy in (_apscheduler_log, logging.getLogger(f"apscheduler.executors.{_DUTIES}")):
    _noisy.setLevel(logging.ERROR)  # it logs each run of a duty, eleven a second


class _LeasedJobStore(SQLAlchemyJobStore):
    """The wake-up table as a jobstore; `take` leases due rows to this worker and returns their keys."""

    def __init__(self, engine: Engine, take: Callable[[], list[WakeUpKey]]) -> None:
        super().__init__(engine=engine, tablename="unused")
        self.jobs_t = metadata.tables["agent_wake_up"]
        self._take = take

    def start(self, scheduler: Any, alias: str) -> None:
        """Store the scheduler; migrations have created the table."""
        self._scheduler = scheduler
        self._alias = alias

    def get_due_jobs(self, now: datetime) -> list[Job]:
        """Lease the due rows."""
        return [self._job(key, now) for key in self._take()]

    def get_next_run_time(self) -> datetime | None:
        """Return when the next row is due, without the outbox's: a process may not deliver, and they can wait a poll."""
        due = due_work.next_run(self.engine)
        return None if due is None else datetime.fromtimestamp(due, UTC)

    def remove_job(self, job_id: str) -> None:
        """Do nothing: the scheduler calls this when the job is submitted, before its work is done."""

    def update_job(self, job: Job) -> None:
        """Do nothing: the lease has already moved the row's time."""

    def shutdown(self) -> None:
        """Do nothing: the store closes the engine."""

    def _job(self, key: WakeUpKey, now: datetime) -> Job:
        # Rows hold no code: whatever they contain, the executor passes on a key.
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
    """Serve as the target of every job; never called."""


class _WorkpoolExecutor(BaseExecutor):
    """An executor that submits a job's key to the workpools on the event loop."""

    def __init__(self, deliver: Callable[[WakeUpKey], None]) -> None:
        super().__init__()
        self._deliver = deliver

    def submit_job(self, job: Job, run_times: list[datetime]) -> None:
        """Submit the key; the lease prevents a second instance."""
        self._deliver(*job.args)

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        raise AssertionError("submit_job does not call it")


class _GuardedScheduler(BackgroundScheduler):
    poll = 1.0
    poll_when_full = 0.05  # seconds between polls while due work has no room

    def _process_jobs(self) -> float:
        try:
            wait = super()._process_jobs()
        except Exception:
            if self.running:  # after a shutdown its jobs are gone, which is no error
                _log.exception("The scheduler failed to read due work; it retries in %g s.", self.poll)
            wait = None
        return self.poll if wait is None else min(float(wait) or self.poll_when_full, self.poll)


class Scheduler:
    """The thread that delivers due wake-ups and runs the worker's regular duties.

    In this thread `take` leases due wake-ups, and `deliver` gets each leased key; `poll` is the maximum of seconds
    between polls.
    """

    def __init__(
        self,
        engine: Engine,
        take: Callable[[], list[WakeUpKey]],
        deliver: Callable[[WakeUpKey], None],
        poll: float,
    ) -> None:
        self._scheduler = _GuardedScheduler(
            jobstores={"default": _LeasedJobStore(engine, take), "duties": MemoryJobStore()},
            executors={"default": _WorkpoolExecutor(deliver), _DUTIES: ThreadPoolExecutor(1)},
            timezone=UTC,
            logger=_apscheduler_log,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self._scheduler.poll = poll

    def every(self, seconds: float, duty: Callable[[], None]) -> None:
        """Call `duty` in a thread every so many seconds, starting now."""
        self._scheduler.add_job(
            duty,
            IntervalTrigger(seconds=seconds),
            jobstore="duties",
            executor=_DUTIES,
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
