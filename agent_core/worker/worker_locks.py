"""Who is alive on this machine: a locked file per worker, which the kernel lets go at its death.

A lease tells only after seconds that its holder is gone. On one machine the lock tells at once, and
cannot be wrong: it is held exactly as long as the process is.
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
except ImportError:  # Windows: there the lease alone decides, some seconds later
    fcntl = None

_LEAVING = b"leaving"
_RECORD = 8  # where the record of what executes begins


def workers_folder(url: URL, path: Path | None) -> Path | None:
    """Return where the workers of a database keep their lock files.

    Args:
        url: the database.
        path: its file, if it is one: then they stand beside it.

    Returns:
        for a server a folder of this machine and this user, named after the server's address and
        the database; None where there can be none: then leases alone decide.
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
            return None  # somebody else's: whoever may write there could declare the living dead
    except OSError:
        return None
    return ours / f"{hashlib.sha256(repr(address).encode()).hexdigest()[:16]}.workers"


class Presence:
    """This worker's lock file among those of the others.

    Args:
        folder: where the workers of one database keep their files; None: no files, leases only.
        worker: this worker's name.
    """

    def __init__(self, folder: Path | None, worker: str) -> None:
        self._folder = folder if fcntl is not None else None
        self._worker = worker
        self._file: IO[bytes] | None = None
        self.record: ExecutionRecord | None = None
        """What this worker executes; None while it has no file, or none that can be mapped."""

    def open(self) -> None:
        """Take this worker's lock."""
        if self._folder is None or fcntl is None:
            return
        # Locked before it has its name: a file without a lock is taken for a dead worker's.
        unnamed = self._folder / f".{self._worker}"
        while self._file is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # the last one that left has just removed it
                self._file = unnamed.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):  # a full disk, or one that maps no files
            self.record = ExecutionRecord(unnamed, _RECORD)
        unnamed.rename(self._folder / self._worker)

    def close(self) -> None:
        """Let the lock go and remove the file, and the folder with the last one."""
        if self._file is not None and self._folder is not None:
            (self._folder / self._worker).unlink(missing_ok=True)
            self._file.close()
            self._file = None
            with contextlib.suppress(OSError):  # others are in it
                self._folder.rmdir()

    def leave(self) -> None:
        """Say that this process is about to end on purpose: whatever it runs did not end it."""
        if self._file is not None:
            self._file.seek(0)
            self._file.write(_LEAVING)
            self._file.flush()

    def has_left(self, worker: str) -> bool:
        """Whether a worker of this machine that is gone was about to end on purpose."""
        if self._folder is None:
            return False
        with contextlib.suppress(OSError):
            return (self._folder / worker).read_bytes().startswith(_LEAVING)
        return False

    def executed(self, worker: str) -> Callable[[str], bool] | None:
        """Return whether the code of a key ran when a worker of this machine died; None if nobody can say."""
        if self._folder is None:
            return None
        with contextlib.suppress(OSError):
            return executed((self._folder / worker).read_bytes()[_RECORD:])
        return None

    def is_alive(self, worker: str) -> bool:
        """Whether a worker is known to live; one on another machine is not known here."""
        if self._folder is None or not (path := self._folder / worker).exists():
            return False
        return not self._is_dead(path)

    def dead(self) -> list[str]:
        """Return the workers whose process is gone. Call `forget` once their work is released."""
        if self._folder is None:
            return []
        with contextlib.suppress(FileNotFoundError):  # a folder for temporary files is tidied by others too
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
