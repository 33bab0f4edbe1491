"""Detect dead workers on this machine by their lock files, which the kernel unlocks when a process ends.

A lease takes seconds to expire. A lock is free at once, and is never wrong: it is held exactly as long as the
process lives.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from sqlalchemy.engine import URL

from agent_core.support.execution_record import ExecutionRecord, executed

try:
    import fcntl
except ImportError:  # Windows, where a death shows only by its expired leases
    fcntl = None

_LEAVING = b"leaving"
_RECORD = 8  # offset of the execution record


def workers_folder(url: URL, path: Path | None) -> Path | None:
    """Return the folder of the lock files of a database's workers; None if there can be none.

    It is beside the SQLite file `path`. For a server it is a folder of this machine and this user, named after the
    server's address and the database.
    """
    if path is not None:
        return path.with_name(path.name + ".workers")
    if fcntl is None:
        return None
    address = [url.host, url.port, url.database, url.query.get("host"), url.query.get("port")]
    ours = Path(tempfile.gettempdir()) / f"agent_core-{os.getuid()}"
    try:
        ours.mkdir(mode=0o700, exist_ok=True)
        if ours.lstat().st_uid != os.getuid() or ours.is_symlink():
            return None  # another user's, who could make live workers look dead
    except OSError:
        return None
    return ours / f"{hashlib.sha256(repr(address).encode()).hexdigest()[:16]}.workers"


class WorkerLocks:
    """The lock files of a database's workers: this worker's own, and those of the others.

    Without a `folder` there are no files: a dead worker is noticed when its leases expire.
    """

    def __init__(self, folder: Path | None, worker: str) -> None:
        self._folder = folder if fcntl is not None else None
        self._worker = worker
        self._file: IO[bytes] | None = None
        self.record: ExecutionRecord | None = None
        """The record of what this worker executes; None without a lock file that can be mapped."""

    def open(self) -> None:
        """Create and lock this worker's file."""
        if self._folder is None or fcntl is None:
            return
        # Renamed once it is locked: a file without a lock is a dead worker's.
        unnamed = self._folder / f".{self._worker}"
        while self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another worker has just removed the empty folder
                self._file = unnamed.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # the disk is full, or cannot map files
            self.record = ExecutionRecord(unnamed, _RECORD)
        unnamed.rename(self._folder / self._worker)

    def close(self) -> None:
        """Remove this worker's file, and the folder if it is empty."""
        if self._file is not None and self._folder is not None:
            (self._folder / self._worker).unlink(missing_ok=True)
            self._file.close()
            self._file = None
            with contextlib.suppress(OSError):  # it is not empty
                self._folder.rmdir()

    def leave(self) -> None:
        """Note that this process ends on purpose, so that its running work is not suspected of a crash."""
        if self._file is not None:
            self._file.seek(0)
            self._file.write(_LEAVING)
            self._file.flush()

    def has_left(self, worker: str) -> bool:
        """Whether a dead worker of this machine ended on purpose."""
        if self._folder is None:
            return False
        with contextlib.suppress(OSError):
            return (self._folder / worker).read_bytes().startswith(_LEAVING)
        return False

    def executed(self, worker: str) -> Callable[[str], bool] | None:
        """Return a function that tells whether a key's code ran when a worker died; None if that is unknown."""
        if self._folder is None:
            return None
        with contextlib.suppress(OSError):
            return executed((self._folder / worker).read_bytes()[_RECORD:])
        return None

    def is_alive(self, worker: str) -> bool:
        """Whether a worker is known to live; workers of other machines are unknown."""
        if self._folder is None or not (path := self._folder / worker).exists():
            return False
        return not self._is_dead(path)

    def dead(self) -> list[str]:
        """Return the workers whose process is gone; call `forget` once their work is released."""
        if self._folder is None:
            return []
        with contextlib.suppress(FileNotFoundError):  # a cleaner of temporary files may have removed it
            others = (path.name for path in self._folder.iterdir() if path.name != self._worker)
            names = [name for name in others if not name.startswith(".")]
            return [name for name in names if self._is_dead(self._folder / name)]
        return []

    def forget(self, worker: str) -> None:
        """Remove a dead worker's file."""
        if self._folder is not None:
            (self._folder / worker).unlink(missing_ok=True)

    @staticmethod
    def _is_dead(path: Path) -> bool:
        if fcntl is None:
            return False
        with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True
        return False
