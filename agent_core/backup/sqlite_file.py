"""Copy SQLite files with SQLite's backup API, and check that nobody uses one."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

from agent_core.errors import DatabaseError, ValidationError
from agent_core.store.database.open import translate

_TIMEOUT = 10.0  # seconds to wait for a lock


@contextlib.contextmanager
def new_file(path: Path, *, replace: bool = False) -> Generator[Path]:
    """Yield a temporary file for the block to fill; at its end it is on the disk, and has its name.

    Only its owner may read it. If the block fails, nothing is left of it.

    Raises:
        ValidationError: the file exists, and `replace` is False.
        DatabaseError: it cannot be written.
    """
    _refuse_existing(path, replace)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be written: {error.strerror or error}.") from error
    temporary = Path(name)
    try:
        os.close(handle)
        yield temporary
        _sync(temporary)
        _refuse_existing(path, replace)  # it may have come meanwhile
        temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise DatabaseError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        for end in ("", "-journal", "-wal", "-shm"):
            Path(f"{name}{end}").unlink(missing_ok=True)


def _refuse_existing(path: Path, replace: bool) -> None:
    if path.exists() and (path.is_dir() or not replace):
        what = "a folder; give the name of a file" if path.is_dir() else "there already; choose another name"
        raise ValidationError(f"{path} is {what}.")


def _sync(path: Path) -> None:
    """Have a file's bytes, or a folder's names, written to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def copy_file(source: Path, target: Path) -> None:
    """Replace the content of a file by that of another one, as of one moment, in one transaction of the target.

    Other processes may write to the source meanwhile; they are not kept from it. They wait for the target.

    Raises:
        DatabaseError: one of the files is locked, damaged or not a database; the target is as it was.
    """
    try:
        with closing(_connect(source, "ro")) as reading, closing(_connect(target, "rwc")) as writing:
            reading.backup(writing, pages=-1)  # all pages in one read transaction
            writing.execute("PRAGMA journal_mode=DELETE")  # a single file, also when it is opened
    except sqlite3.Error as error:
        raise translate(error) from error


def check_file(path: Path) -> None:
    """Check the pages and indexes of a SQLite file.

    Raises:
        DatabaseError: it is damaged, or not a database.
    """
    try:
        with closing(_connect(path, "ro")) as connection:
            (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        raise DatabaseError(f"{path} is not a SQLite database, or it is damaged ({error}).") from error
    if found != "ok":
        raise DatabaseError(f"{path} is damaged ({found}). Use another backup.")


def require_unused(path: Path) -> None:
    """Make sure that no process has a SQLite file open, and that all its content is in the file itself.

    Raises:
        DatabaseError: a process has it open.
    """
    try:
        with closing(_connect(path, "rw")) as connection:
            # Leaving WAL needs a file that nobody else has open. Every start of a program turns it on again.
            (mode,) = connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error) and "busy" not in str(error):
            raise translate(error) from error
        mode = "wal"
    if mode != "delete":
        raise DatabaseError(f"{path} is in use. Stop every program that uses it, and try again.")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_TIMEOUT, isolation_level=None
    )
