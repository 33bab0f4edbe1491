"""Who is alive on this machine: a locked file per worker, which the kernel lets go at its death.

A lease tells only after seconds that its holder is gone. On one machine the lock tells at once, and
cannot be wrong: it is held exactly as long as the process is.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows: there the lease alone decides, some seconds later
    fcntl = None


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

    def open(self) -> None:
        """Take this worker's lock."""
        if self._folder is None or fcntl is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        # Locked before it has its name: a file without a lock is taken for a dead worker's.
        unnamed = self._folder / f".{self._worker}"
        self._file = unnamed.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX)
        unnamed.rename(self._folder / self._worker)

    def close(self) -> None:
        """Let the lock go and remove the file."""
        if self._file is not None and self._folder is not None:
            (self._folder / self._worker).unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def dead(self) -> list[str]:
        """Return the workers whose process is gone. Call `forget` once their work is released."""
        if self._folder is None:
            return []
        others = (path.name for path in self._folder.iterdir() if path.name != self._worker)
        names = [name for name in others if not name.startswith(".")]
        return [name for name in names if self._is_dead(self._folder / name)]

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
