"""Logging of the app: one escaped line per record on standard error, with the time and without secrets.

    2026-11-29T14:31:45.123+01:00 WARNING agent_core.runners Thread thread_01…: the turn failed at step 2, …

`CHAT_LOG_LEVEL` is the level of the app, of agent_core and of extensions; libraries log warnings and above.
Reflex logs the reports of pages, which also pass through this formatter, so a page cannot forge a line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import datetime

from agent_core.support.logs import escape
from agent_core.text.redaction import hide_secrets

_log = logging.getLogger(__name__)

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_OURS = ("agent_core", "chat_app")
_MAX_LINE = 100_000  # characters of a line
_SOCKET = ("engineio.server", "socketio.server")
"""Libraries that write to standard error directly, past the formatter, unless their loggers have a level."""
MAX_REPEATS = 20
"""Maximum records per minute from one place in a library; clients may provoke any number of them."""
_MINUTE = 60.0  # seconds


class OneLineFormatter(logging.Formatter):
    """Formatter that writes a record, including its traceback, on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time (ISO 8601), level, logger, message and traceback, with line breaks escaped."""
        try:
            message = record.getMessage()
        except Exception:  # the arguments do not fit the format; log the raw message and arguments
            message = f"{record.msg} {record.args!r}"
        traceback = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        parts = (message, traceback, record.stack_info or "")
        words = escape(hide_secrets("\n".join(part for part in parts if part)[:_MAX_LINE]))
        if left_out := getattr(record, "left_out", 0):
            words += f" ({left_out:,} similar records were dropped)"
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        return f"{when} {record.levelname} {escape(record.name)} {words}"


class RepeatFilter(logging.Filter):
    """Filter that passes `MAX_REPEATS` records per minute from each place in the code, and counts the rest.

    Args:
        trusted: names of loggers whose records all pass, as do those of their children.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        super().__init__()
        self._trusted = tuple(trusted)
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record passes; the first record of the next minute carries the number dropped."""
        if any(record.name == name or record.name.startswith(f"{name}.") for name in self._trusted):
            return True
        place = record.pathname, record.lineno
        began, count = self._seen.get(place, (record.created, 0))
        if record.created - began >= _MINUTE:
            record.left_out = max(0, count - MAX_REPEATS)
            began, count = record.created, 0
        self._seen[place] = began, count + 1
        return count < MAX_REPEATS


class _Handler(logging.StreamHandler):
    """Handler of the app on the root logger, recognised by its class."""


def configure(level: str, extensions: Iterable[str] = ()) -> None:
    """Configure logging from `level` on, one of `LEVELS`; further calls only change the level.

    Args:
        level: the level of the app's and the extensions' loggers; all other loggers have at least WARNING.
        extensions: names of the modules that extend the app.
    """
    root = logging.getLogger()
    if not any(isinstance(handler, _Handler) for handler in root.handlers):
        handler = _Handler(sys.stderr)
        handler.setFormatter(OneLineFormatter())
        handler.addFilter(RepeatFilter((*_OURS, *extensions)))
        root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in _SOCKET:
        logging.getLogger(name).setLevel(root.level)
    for name in (*_OURS, *extensions):
        logging.getLogger(name).setLevel(level)


def log_exception(exception: Exception) -> None:
    """Log what an event of a tab raised, in place of Reflex's own handler.

    That one also sends an alert, whose script the content policy blocks, and which no person could use.
    """
    from redis.exceptions import RedisError  # here, because commands do not need it

    if isinstance(exception, RedisError):
        _log.error("Redis cannot be used, so an event of a tab was not handled: %s", exception)
    else:
        _log.error("An event of a tab was not handled", exc_info=exception)
