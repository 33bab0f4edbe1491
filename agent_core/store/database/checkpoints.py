"""Checkpoint a SQLite file in a separate thread: copy its write-ahead log into the file.

A checkpoint waits for the disk, and the writer should not. SQLite runs checkpoints beside the writer, but reuses the
log only once all of it is copied and no reader needs it. A busy writer or overlapping readers can prevent that forever.
So the thread copies, and when the log is too long, the writer copies the rest, waits for the readers and truncates the
log. That bound does not depend on the thread. https://sqlite.org/wal.html#avoiding_excessively_large_wal_files
"""

from __future__ import annotations

import contextlib
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from agent_core.support.logs import get_logger

_log = get_logger(__name__)
CHANGED_ROWS = 1_000
"""Changed rows after which the thread makes a checkpoint: about as much as SQLite's own 1,000 pages."""

MAX_BYTES = 32 << 20
"""Size of the log at which the writer empties it."""

READERS_TIMEOUT = 0.25  # seconds that the writer waits for readers, once per `MAX_BYTES`
BUSY_TIMEOUT = 10.0
"""Seconds that every connection waits for a lock of another process."""

CHECK_INTERVAL = (
    0.02  # seconds between looks at the log's size; each lets another thread take the interpreter's lock
)
_CLOSE_TIMEOUT = 10.0  # seconds that a checkpoint gets to end when the database is closed
_WARN_BYTES = 4 * MAX_BYTES


class Checkpoints:
    """The checkpoints of one SQLite file; every method is called in the writer's thread.

    Args:
        engine: opens the thread's connection.
        cursor: a cursor of the writer's connection, which makes no checkpoints by itself from now on.
    """

    def __init__(self, engine: Engine, cursor: Any) -> None:
        self._engine = engine
        self._cursor = cursor
        cursor.execute("PRAGMA wal_autocheckpoint=0").fetchall()
        _, _, file = cursor.execute("PRAGMA database_list").fetchall()[0]
        self._file = Path(f"{file}-wal")
        self._changes = cursor.connection.total_changes
        self._limit, self._warn_at = MAX_BYTES, _WARN_BYTES
        self._checked_at = 0.0
        self._due = threading.Event()
        self._closing = False
        self._running = threading.Lock()  # SQLite refuses, without waiting, a checkpoint beside another one
        self._thread = threading.Thread(target=self._main, name="agent_core-checkpoints", daemon=True)
        self._thread.start()

    def keep_up(self) -> None:
        """Let the thread make a checkpoint if many rows have changed, and empty the log if it is too long.

        It never raises: the transactions before it are committed.
        """
        try:
            changes = self._cursor.connection.total_changes
            if changes - self._changes >= CHANGED_ROWS:
                self._changes = changes
                self._due.set()
            now = time.monotonic()
            if now - self._checked_at >= CHECK_INTERVAL:
                self._checked_at = now
                self._check_size()
        except Exception:  # the writer's thread must survive errors of the disk
            _log.exception("The write-ahead log could not be emptied; the next attempt follows.")

    def close(self) -> None:
        """End the thread. SQLite itself empties the log when the last connection to the file is closed."""
        self._closing = True
        self._due.set()
        self._thread.join(_CLOSE_TIMEOUT)

    def _check_size(self) -> None:
        size = self._file.stat().st_size
        if size >= self._limit:
            self._empty(size)

    def _empty(self, size: int) -> None:
        """Copy what is left, and empty the log if all readers leave it soon."""
        self._limit = size + MAX_BYTES  # the next attempt, if this one fails
        if not self._running.acquire(timeout=READERS_TIMEOUT):
            return
        try:
            self._cursor.execute(f"PRAGMA busy_timeout={int(READERS_TIMEOUT * 1e3)}").fetchall()
            [(is_busy, _, _)] = self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            self._running.release()
            self._cursor.execute(f"PRAGMA busy_timeout={int(BUSY_TIMEOUT * 1e3)}").fetchall()
        if not is_busy:
            self._limit, self._warn_at = MAX_BYTES, _WARN_BYTES
        elif size >= self._warn_at:
            self._warn_at = 2 * size
            words = (
                "A reader or another process keeps the write-ahead log %s from being emptied; it has %d MB."
            )
            _log.warning(words, self._file, size >> 20)

    # --- the thread ---

    def _main(self) -> None:
        while True:
            self._due.wait()
            self._due.clear()
            if self._closing:
                return
            try:
                self._copy()
            except Exception:
                _log.exception("A checkpoint failed; the next one follows.")

    def _copy(self) -> None:
        with contextlib.closing(self._engine.raw_connection()) as connection, self._running:
            connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
