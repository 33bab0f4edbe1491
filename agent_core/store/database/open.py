"""Open a database with its pragmas, translate its errors, and leave a database that cannot be used unchanged."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from agent_core.errors import AgentCoreError, DatabaseError, ValidationError
from agent_core.sentences import sentence
from agent_core.store.database.checkpoints import BUSY_TIMEOUT
from agent_core.store.database.postgresql.errors import is_away, refusal
from agent_core.text.plain_text import search_key

C = TypeVar("C", bound=type[Any])
_SQLITE = ("sqlite", "sqlite+pysqlite")
SERVER_TIMEOUTS = {
    **{"connect_timeout": 10, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3},
    "tcp_user_timeout": 10_000,
}
"""Options of libpq: seconds (milliseconds for the last) after which a server that is out of reach counts as gone."""

_RECONNECT_TIMEOUT = 10.0  # seconds for which reads wait for a lost server, as writes do
_RETRY_INTERVAL = 0.1  # seconds
_QUICK_CHECK_BYTES = 256 << 20  # checking a larger file would delay every start by seconds


class OpenDatabase(NamedTuple):
    """An open database: an engine for the writer, one for readers, and the SQLite file, if it is one."""

    writer: Engine
    reader: Engine
    path: Path | None


def parse_url(database_url: str) -> URL:
    """Read a SQLAlchemy database URL.

    Raises:
        ValidationError: it is not one, or names a database that is not supported.
    """
    try:
        url = make_url(database_url)
        if url.drivername in _SQLITE and url.host:
            raise ArgumentError("A SQLite URL has three slashes.")
    except (ArgumentError, ValueError) as error:  # a port that is no number
        shown = f"{database_url!r} is" if "@" not in database_url else "That is"  # it may contain a password
        raise ValidationError(
            f"{shown} not a database URL; write sqlite:///path/to/file.db or postgresql://user@host/name."
        ) from error
    if url.drivername in ("postgresql", "postgres"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in (*_SQLITE, "postgresql+psycopg"):
        raise ValidationError(f"{url.drivername} is not supported; use sqlite or postgresql.")
    return url


def database_path(url: URL) -> Path | None:
    """Return the file of a SQLite URL; None for one in memory or for another database."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


@contextlib.contextmanager
def opened(database_url: str, synchronous: str) -> Generator[OpenDatabase]:
    """Open a database and close it again.

    Args:
        database_url: a SQLAlchemy URL. SQLite in memory becomes a temporary file, because the
            writer and the readers are different connections.
        synchronous: SQLite's pragma, NORMAL or FULL.

    Raises:
        ValidationError: the URL is not usable.
        DatabaseError: the database is locked, read-only, corrupt or out of reach.
    """
    url = parse_url(database_url)
    with contextlib.ExitStack() as stack:
        if url.get_backend_name() == "sqlite" and database_path(url) is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="agent_core-"))
            url = url.set(database=str(Path(folder) / "agents.db"))
        path = database_path(url)
        if path is not None:
            _check_file(path)
        # A migration may take any time. The writer sets its own limit; see `PostgresConnection`.
        writer, reader = _engine(url, synchronous, "IMMEDIATE"), _engine(url, synchronous, "DEFERRED")
        stack.callback(_dispose, reader)
        stack.callback(_dispose, writer)
        if path is None:
            stack.callback(_limit_answers(reader))
        yield OpenDatabase(writer, reader, path)


def _dispose(engine: Engine) -> None:
    # A read whose caller was cancelled may still run, or be about to start. It gets a moment to end; later its
    # connection is closed when it is returned, and no new one is opened.
    event.listen(engine, "do_connect", _refuse_late)
    deadline = time.monotonic() + 1
    while isinstance(engine.pool, QueuePool) and engine.pool.checkedout() and time.monotonic() < deadline:
        time.sleep(0.005)
    event.listen(engine.pool, "checkin", _close_late)
    engine.dispose()


def _refuse_late(*_: object) -> None:
    raise DatabaseError(sentence("database_closed"))


def _close_late(_connection: object, record: ConnectionPoolEntry) -> None:
    record.invalidate()


def _check_file(path: Path) -> None:
    """Make sure that a SQLite file can be written, without changing it.

    Raises:
        DatabaseError: it is a folder, read-only, locked, corrupt or not a database.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        existed = path.exists()
        if existed:
            _check_content(path)
        elif not _writable(path.parent):
            raise DatabaseError(f"The folder {path.parent} cannot be written to; choose another place.")
    except OSError as error:
        raise DatabaseError(f"The database {path} cannot be opened: {error.strerror or error}.") from error


def _writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _check_content(path: Path) -> None:
    if path.is_dir():
        raise DatabaseError(f"The database {path} is a folder; give the path of a file.")
    # Only SQLite may open the file: whoever closes a file that a connection of this process has open gives up that
    # connection's locks (https://www.sqlite.org/howtocorrupt.html), and another process then deletes the log.
    if not os.access(path, os.W_OK):
        raise DatabaseError(sentence("database_read_only", path=str(path)))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT, isolation_level=None
    )
    try:
        # BEGIN IMMEDIATE takes the write lock that we will need, and ROLLBACK leaves no trace.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        small = path.stat().st_size < _QUICK_CHECK_BYTES
        if small and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise DatabaseError(f"The database {path} is damaged (quick_check). Restore it from a copy.")
    except sqlite3.Error as error:
        if "not a database" in str(error):
            words = f"{path} is not a SQLite database, or it is damaged. It was left as it is."
            raise DatabaseError(words) from error
        raise _translate_sqlite(error, str(path)) from error
    finally:
        connection.close()


def _engine(url: URL, synchronous: str, begin: str) -> Engine:
    if url.get_backend_name() != "sqlite":
        timeouts = {name: value for name, value in SERVER_TIMEOUTS.items() if name not in url.query}
        try:
            return create_engine(url, pool_size=4, connect_args=timeouts)
        except ImportError as error:
            raise ValidationError(
                f'PostgreSQL needs psycopg: pip install "reflex-durable-agents[postgresql]" ({error}).'
            ) from error
    engine = create_engine(url, paramstyle="named", connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # BEGIN is explicit, below
        connection.create_function("agent_fold", 1, _fold, deterministic=True)
        for pragma in (
            f"busy_timeout={int(BUSY_TIMEOUT * 1e3)}",
            f"synchronous={synchronous}",
            "foreign_keys=ON",
            "cache_size=-16000",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.exec_driver_sql(f"BEGIN {begin}")

    return engine


def _limit_answers(engine: Engine) -> Callable[[], None]:
    """Close connections of a server that does not answer, so that nothing waits for it for ever.

    Returns:
        A function to call before `_dispose`, whose listener comes after this one: the first that connects wins.
    """
    from agent_core.store.database.postgresql.pipeline import AnsweredConnection

    closed = threading.Event()

    @event.listens_for(engine, "do_connect")
    def _connect(*given: Any) -> Any:  # pyright: ignore[reportUnusedFunction]
        _dialect, _record, args, named = given
        return None if closed.is_set() else AnsweredConnection.connect(*args, **named)

    return closed.set


def _fold(text: str | None) -> str | None:
    return None if text is None else search_key(text)


def write_ahead(engine: Engine) -> None:
    """Set WAL mode for a SQLite file, once it is known to be ours; the file keeps the mode.

    Raises:
        DatabaseError: other programs kept the file busy for seconds.
    """
    if engine.dialect.name != "sqlite":
        return
    connection = engine.raw_connection()
    deadline = time.monotonic() + 10
    try:
        # Changing the mode needs exclusive access, for which SQLite does not wait (busy_timeout does not apply).
        while connection.cursor().execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            with contextlib.suppress(sqlite3.OperationalError):
                connection.cursor().execute("PRAGMA journal_mode=WAL").fetchone()
                continue
            if time.monotonic() > deadline:
                raise DatabaseError(sentence("database_busy"))
            time.sleep(0.02)
    finally:
        connection.close()


def translate(error: BaseException) -> BaseException:
    """Turn a driver's or SQLAlchemy's error into a DatabaseError; leave others as they are."""
    if isinstance(error, AgentCoreError):
        return error
    if isinstance(error, sqlite3.IntegrityError):
        return error  # a bug in this library: the traceback must show it
    if isinstance(error, sqlite3.Error):
        return _translate_sqlite(error, "")
    if isinstance(error, DBAPIError) and error.orig is not None:
        return translate(error.orig)
    if isinstance(error, SQLAlchemyError):
        return DatabaseError(sentence("database_refused", path="", words=str(error).rstrip(".")))
    if type(error).__module__.startswith("psycopg"):
        return refusal(error)
    return error


def _translate_sqlite(error: sqlite3.Error, path: str) -> DatabaseError:
    words = str(error)
    if "locked" in words or "busy" in words:
        return DatabaseError(sentence("database_locked", path=path), is_temporary=True)
    if "readonly" in words:
        return DatabaseError(sentence("database_read_only", path=path), is_temporary=True)
    if "full" in words:
        return DatabaseError(sentence("database_full", path=path), is_temporary=True)
    if "malformed" in words or "not a database" in words:
        return DatabaseError(sentence("database_damaged", path=path, words=words))
    if "unable to open" in words:
        return DatabaseError(sentence("database_not_opened", path=path))
    return DatabaseError(sentence("database_refused", path=path, words=words))


def retry_reads(cls: C) -> C:
    """Let every public method of a class retry while the server is away, and translate its errors.

    Raises:
        DatabaseError: (from the methods) the database refused, or was away for too long.
    """
    for name, method in list(vars(cls).items()):
        if callable(method) and not name.startswith("_") and name != "session":
            setattr(cls, name, _retried(method))
    return cls


def _retried(read: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def retried(*args: Any, **kwargs: Any) -> Any:
        deadline = time.monotonic() + _RECONNECT_TIMEOUT
        while True:
            try:
                return read(*args, **kwargs)
            except Exception as error:
                translated = translate(error)
                if translated is error and not isinstance(error, SQLAlchemyError):
                    raise
                if not is_away(error) or time.monotonic() > deadline:
                    raise translated from error
            time.sleep(_RETRY_INTERVAL)

    return retried
