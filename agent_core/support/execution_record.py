"""Record which work a process is executing, in memory that outlives the process.

A worker maps its lock file into memory. Before each slice of the event loop that belongs to a step or tool
call, it writes the hashed key of the work there, and clears it afterwards. The record survives a SIGKILL, so
other workers see which work was executing and which was only waiting. A slice costs about half a microsecond,
and nothing is synced to disk.
"""

from __future__ import annotations

import contextlib
import mmap
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeVar

T = TypeVar("T")
_WIDTH: Final = 8  # bytes of a hashed key
_THREADS: Final = 511  # slots besides the event loop's; work without a slot counts as waiting
_NOBODY: Final = bytes(_WIDTH)
_SIZE: Final = _WIDTH * (1 + _THREADS)


class ExecutionRecord:
    """Record of the work that one worker is executing, in its lock file.

    Args:
        path: the file, which exists and is empty.
        start: offset of the record in bytes.

    Raises:
        OSError: the file cannot grow, or not be mapped.
    """

    def __init__(self, path: Path, start: int) -> None:
        # Opened separately: a mapping keeps its file open, and a locked file would stay locked.
        with path.open("r+b") as file:
            file.write(bytes(start + _SIZE))
            file.flush()
            # Never closed: a tool's thread cannot be ended, and may write after the runtime is closed.
            self._memory = mmap.mmap(file.fileno(), start + _SIZE)
        self._loop = slice(start, start + _WIDTH)
        starts = range(start + _WIDTH, start + _SIZE, _WIDTH)
        self._free = [slice(at, at + _WIDTH) for at in starts]

    async def run(self, key: str, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the work of a wake-up in this task and record while its code is executing."""
        token = _current.set((self, key))
        try:
            return await self._sliced(_name(key), coroutine)
        finally:
            _current.reset(token)

    @types.coroutine
    def _sliced(self, name: bytes, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        memory, loop = self._memory, self._loop
        step: Callable[[Any], Any] = coroutine.send
        value: Any = None
        while True:
            memory[loop] = name
            try:
                awaited = step(value)
            except StopIteration as end:
                return end.value
            finally:
                memory[loop] = _NOBODY
            try:
                value, step = (yield awaited), coroutine.send
            except BaseException as error:
                value, step = error, coroutine.throw

    @contextlib.contextmanager
    def thread(self, key: str) -> Generator[None]:
        """Record for the duration of a block that the work is executing outside of the event loop."""
        slot = self._free.pop() if self._free else None
        if slot is None:
            yield
            return
        self._memory[slot] = _name(key)
        try:
            yield
        finally:
            self._memory[slot] = _NOBODY
            self._free.append(slot)


_current: ContextVar[tuple[ExecutionRecord, str] | None] = ContextVar("agent_core_executing", default=None)


@contextlib.contextmanager
def in_thread() -> Generator[None]:
    """Record for the duration of a block that the current work, if any, is executing in a thread."""
    current = _current.get()
    with current[0].thread(current[1]) if current else contextlib.nullcontext():
        yield


def executed(record: bytes) -> Callable[[str], bool] | None:
    """Return a function that tells whether the work of a key was executing when its process died.

    Args:
        record: the bytes in the worker's file from `start` on. For a record of an older version the function
            returns None.
    """
    if len(record) != _SIZE:
        return None
    names = {record[at : at + _WIDTH] for at in range(0, _SIZE, _WIDTH)}
    return lambda key: _name(key) in names


def _name(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_WIDTH).digest()
