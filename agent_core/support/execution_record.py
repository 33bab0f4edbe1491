"""Record whose code a process executes, in memory that outlives the process.

A worker maps its lock file into its memory and writes there, before each slice of the event loop that
belongs to a step or tool call, whose it is; afterwards it takes that back. A SIGKILL leaves what was written,
so whoever finds the worker dead sees whose code ran and whose only waited. A slice costs about half a
microsecond, and nothing is synced to the disk.
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
_WIDTH: Final = 8  # bytes that name a key
_THREADS: Final = 511  # slots besides the event loop's own; what finds none is taken to wait
_NOBODY: Final = bytes(_WIDTH)
_SIZE: Final = _WIDTH * (1 + _THREADS)


class ExecutionRecord:
    """Record of what one worker executes, in its own file.

    Args:
        path: the file, which exists and is empty.
        start: offset of the record in bytes.

    Raises:
        OSError: the file cannot grow, or not be mapped.
    """

    def __init__(self, path: Path, start: int) -> None:
        # A mapping keeps its file open: one with a lock would stay locked.
        with path.open("r+b") as file:
            file.write(bytes(start + _SIZE))
            file.flush()
            # Never closed: a tool's thread that nobody can end may write when the runtime is closed.
            self._memory = mmap.mmap(file.fileno(), start + _SIZE)
        self._loop = slice(start, start + _WIDTH)
        starts = range(start + _WIDTH, start + _SIZE, _WIDTH)
        self._free = [slice(at, at + _WIDTH) for at in starts]

    async def run(self, key: str, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the work of a wake-up in this task, and record when its code executes."""
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
        """Record that code of the work executes outside of the event loop for as long as the block lasts."""
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
    """Record for a block that code of the work at hand executes in a thread; nothing where none is at hand."""
    current = _current.get()
    with current[0].thread(current[1]) if current else contextlib.nullcontext():
        yield


def executed(record: bytes) -> Callable[[str], bool] | None:
    """Return whether the code of a key ran when its process died.

    Args:
        record: the bytes that stood in the worker's file behind `start`; None is returned for those of a
            version that wrote none.
    """
    if len(record) != _SIZE:
        return None
    names = {record[at : at + _WIDTH] for at in range(0, _SIZE, _WIDTH)}
    return lambda key: _name(key) in names


def _name(key: str) -> bytes:
    return blake2b(key.encode(), digest_size=_WIDTH).digest()
