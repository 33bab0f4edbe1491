"""Run schedules: one transaction sends the message and writes the wake-up of the next run.

`next_at` is the fence: it is in the WHERE of the write that moves it, so of two workers with the wake-up only one
runs. The message's id consists of the schedule's id and the time of the run, so a time that comes twice, after the
clock was set back, is one message.
"""

from __future__ import annotations

from collections.abc import Container

from sqlalchemy import select, update

from agent_core.domain.wake_ups.wake_up_key import schedule_key
from agent_core.errors import ValidationError, words_of
from agent_core.schedules.schedule import Missed, RunPlan, plan_runs
from agent_core.schedules.triggers import Trigger, trigger_from
from agent_core.sentences import sentence
from agent_core.store.database.sql import MESSAGE, SCHEDULE, THREAD, P, Statement, dump_info, load
from agent_core.store.database.tables import ScheduleRow
from agent_core.store.database.transaction import Tx
from agent_core.store.schedules.schedules import locked, must
from agent_core.store.threads import files
from agent_core.store.threads.messages import SENT_BY_SCHEDULE, NewMessage
from agent_core.store.threads.thread_row import lock
from agent_core.store.tool_calls.calls import UnknownAgent
from agent_core.store.turns import turns
from agent_core.support.clock import as_datetime
from agent_core.support.faults import crash_point

_s = SCHEDULE.c
_this = _s.id == P("schedule_id")
_error = {"error": P("new_error"), "error_info": P("new_info")}
_RAN = Statement(
    update(SCHEDULE)
    .where(_this, _s.next_at == P("at_next"), ~_s.paused)
    .values(
        runs=P("new_runs"),
        missed=_s.missed + P("more_missed"),
        last_at=P("new_last"),
        last_thread_id=P("new_thread"),
        next_at=P("new_next"),
        error=None,
    )
)
_RAN_NOW = Statement(
    update(SCHEDULE)
    .where(_this)
    .values(runs=_s.runs + 1, last_at=P("new_last"), last_thread_id=P("new_thread"))
)
_END = Statement(update(SCHEDULE).where(_this).values(next_at=None, **_error))
_WAIT = Statement(update(SCHEDULE).where(_this).values(**_error))
_QUEUED = Statement(
    select(MESSAGE.c.id).where(
        MESSAGE.c.thread_id == P("thread_id"), MESSAGE.c.id == P("message_id"), MESSAGE.c.queued
    )
)
_THREAD = Statement(select(THREAD.c.id).where(THREAD.c.id == P("thread_id")))


def fire(tx: Tx, schedule_id: str, agents: Container[str]) -> None:
    """Run a schedule if it is due, and write the wake-up of the next run.

    Raises:
        UnknownAgent: it creates threads of an agent that is not among `agents`.
    """
    key = schedule_key(schedule_id)
    row = locked(tx, schedule_id)
    if row is None or row.paused or row.next_at is None:
        tx.wake.done(tx, key)
    elif row.next_at > tx.now:
        tx.wake.enqueue(tx, key, row.next_at)
    elif row.thread_id is None and row.agent not in agents:
        raise UnknownAgent(row.agent)
    elif row.thread_id is not None and tx.one(_THREAD, thread_id=row.thread_id) is None:
        _end(tx, row, sentence("schedule_thread_gone", thread=row.thread_id))
    else:
        try:
            trigger = trigger_from(load(row.trigger))
        except ValidationError as error:
            _end(tx, row, words_of(error))
        else:
            _run(tx, row, trigger, row.next_at)


def _run(tx: Tx, row: ScheduleRow, trigger: Trigger, next_at: float) -> None:
    todo = plan_runs(trigger, next_at, tx.now, _policy(row))
    if todo.fire_at is not None and _still_queued(tx, row):
        # Otherwise a thread that is busy for long, or waits for a person, would queue a message for each run.
        todo = RunPlan(None, todo.next_at, todo.missed + 1)
    runs = row.runs + (todo.fire_at is not None)
    following = None if row.max_runs is not None and runs >= row.max_runs else todo.next_at
    landed = tx.run(
        _RAN,
        schedule_id=row.id,
        at_next=next_at,
        new_runs=runs,
        more_missed=todo.missed,
        new_last=row.last_at if todo.fire_at is None else todo.fire_at,
        new_thread=row.last_thread_id if todo.fire_at is None else _thread_of(row, todo.fire_at),
        new_next=following,
    )
    if not landed:
        return
    crash_point("schedule.inside")
    if todo.fire_at is not None:
        _send(tx, row, todo.fire_at)
    if following is None:
        tx.wake.done(tx, schedule_key(row.id), mine=False)
    else:
        tx.wake.enqueue(tx, schedule_key(row.id), following)


def _send(tx: Tx, row: ScheduleRow, fire_at: float) -> None:
    """Send the message of a run, or create its thread, unless that was done before."""
    name = run_id(row.id, fire_at)
    metadata = load(row.meta) | {SENT_BY_SCHEDULE: row.id, "scheduled_at": as_datetime(fire_at).isoformat()}
    parts = load(row.parts)
    kept = dict.fromkeys(files.attached(parts), files.kept_by(row.id))
    message = NewMessage(name, "user", parts, metadata, kept)
    if row.thread_id is not None:
        turns.send(tx, row.thread_id, message, "queue")
    elif tx.one(_THREAD, thread_id=name) is None:
        turns.create(
            tx,
            name,
            agent=row.agent,
            title=row.title,
            user_id=row.user_id,
            metadata=metadata,
            messages=[message],
            run=True,
        )


def run_id(schedule_id: str, fire_at: float) -> str:
    """Return the id of a run's message, and of the thread that it may create."""
    return f"{schedule_id}-{round(fire_at * 1000)}"


def _thread_of(row: ScheduleRow, fire_at: float) -> str:
    return row.thread_id or run_id(row.id, fire_at)


def _still_queued(tx: Tx, row: ScheduleRow) -> bool:
    if row.thread_id is None or row.last_at is None:
        return False
    return tx.one(_QUEUED, thread_id=row.thread_id, message_id=run_id(row.id, row.last_at)) is not None


def _policy(row: ScheduleRow) -> Missed:
    return "skip" if row.missed_policy == "skip" else "run_once"


def _end(tx: Tx, row: ScheduleRow, why: str) -> None:
    tx.run(_END, schedule_id=row.id, new_error=why, new_info=dump_info(why))
    tx.wake.done(tx, schedule_key(row.id), mine=False)


def wait(tx: Tx, schedule_id: str, why: str, run_at: float) -> None:
    """Store why a run failed, and retry it at `run_at`."""
    if tx.run(_WAIT, schedule_id=schedule_id, new_error=why, new_info=dump_info(why)):
        tx.wake.enqueue(tx, schedule_key(schedule_id), run_at)


def run_now(tx: Tx, schedule_id: str) -> None:
    """Run a schedule now; its next run keeps its time.

    Raises:
        ScheduleNotFoundError, ThreadNotFoundError
    """
    row = must(tx, schedule_id)
    if row.thread_id is not None:
        lock(tx, row.thread_id)
    tx.run(_RAN_NOW, schedule_id=row.id, new_last=tx.now, new_thread=_thread_of(row, tx.now))
    _send(tx, row, tx.now)
