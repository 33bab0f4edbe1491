"""Execution records: whose code a process was executing when it was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent_core.support.execution_record import ExecutionRecord, executed, in_thread
from agent_core.worker.worker_locks import WorkerLocks
from tests.support.processes.children import FORKED


def kill_me() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def waiting() -> None:
    """Die from a timer while the task waits."""
    asyncio.get_running_loop().call_later(0.01, kill_me)
    await asyncio.sleep(60)


async def after_a_wait() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)
    kill_me()


async def in_a_thread() -> None:
    def work() -> None:
        with in_thread():
            kill_me()

    await asyncio.to_thread(work)


async def after_a_thread() -> None:
    with in_thread():
        await asyncio.to_thread(time.sleep, 0)
    await waiting()


Death = Callable[[], Coroutine[Any, Any, None]]


def die(folder: Path, death: Death) -> None:
    """Run two pieces of work in one worker, one of which only waits."""
    presence = WorkerLocks(folder, "w")
    presence.open()
    asyncio.run(both(presence, death))


async def both(presence: WorkerLocks, death: Death) -> None:
    assert presence.record is not None
    innocent = presence.record.run("step:innocent", asyncio.sleep(60))
    await asyncio.gather(innocent, presence.record.run("step:other", death()))


@pytest.mark.parametrize(
    ("death", "guilty"),
    [(waiting, False), (after_a_wait, True), (in_a_thread, True), (after_a_thread, False)],
)
def test_a_killed_process_leaves_whose_code_it_executed(tmp_path: Path, death: Death, guilty: bool) -> None:
    child = FORKED.Process(target=die, args=(tmp_path, death))
    child.start()
    child.join()
    heir = WorkerLocks(tmp_path, "heir")
    assert (child.exitcode, heir.dead()) == (-signal.SIGKILL, ["w"])
    found = heir.executed("w")
    assert found is not None
    assert (found("step:other"), found("step:innocent")) == (guilty, False)


def test_a_file_without_a_record_says_nothing(tmp_path: Path) -> None:
    """The file may come from an older version or another machine, or the disk may have been full."""
    (tmp_path / "old").touch()
    assert WorkerLocks(tmp_path, "heir").executed("old") is None
    assert WorkerLocks(tmp_path, "heir").executed("elsewhere") is None
    assert WorkerLocks(None, "heir").executed("old") is None
    assert executed(b"") is None


async def test_recorded_work_ends_as_it_would_by_itself(tmp_path: Path) -> None:
    """A result, an exception, a cancellation and a caught cancellation all pass through."""
    record = new_record(tmp_path)

    async def work(outcome: Any) -> Any:
        try:
            await asyncio.sleep(0 if outcome != "cancelled" else 60)
        except asyncio.CancelledError:
            return "was cancelled"
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    assert await record.run("step:a", work(3)) == 3
    with pytest.raises(KeyError):
        await record.run("step:a", work(KeyError("a")))
    task = asyncio.create_task(record.run("step:a", work("cancelled")))
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "was cancelled"
    task = asyncio.create_task(record.run("step:a", asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not names(tmp_path)


def test_threads_beyond_the_records_room_are_not_recorded(tmp_path: Path) -> None:
    record = new_record(tmp_path)
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(record.thread("tool:a:b"))
        assert names(tmp_path)
    assert not names(tmp_path)
    with in_thread():  # a thread without work
        assert threading.current_thread() is threading.main_thread()


def new_record(folder: Path) -> ExecutionRecord:
    (folder / "w").touch()
    return ExecutionRecord(folder / "w", 0)


def names(folder: Path) -> bytes:
    """Return the content of the record without its padding."""
    return (folder / "w").read_bytes().strip(b"\0")
