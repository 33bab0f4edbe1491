"""The app's log: one escaped line for each record, on standard error, with the time and no secrets.

    2026-11-29T14:31:45.123+01:00 WARNING agent_core.runners Thread thread_01…: the turn failed at step 2, …

`CHAT_LOG_LEVEL` is that of the app, of agent_core and of extensions; libraries say what is a warning or
worse. What pages report is logged by Reflex and passes through here as well, so they cannot forge a line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import datetime

from agent_core.support.logs import escape
from agent_core.text.redaction import hide_secrets

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_OURS = ("agent_core", "chat_app")
_MAX_LINE = 100_000  # characters of a line
_SOCKET = ("engineio.server", "socketio.server")
"""Libraries that write to standard error beside us, past the formatter, unless their loggers have a level."""
MAX_REPEATS = 20
"""Records of one place in a library a minute; a client may provoke any number of them."""
_MINUTE = 60.0  # seconds


class OneLineFormatter(logging.Formatter):
    """Writes a record on one line, its traceback too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time (ISO 8601), level, logger, message and traceback; line breaks in them are escaped."""
        try:
            message = record.getMessage()
        except Exception:  # the arguments don't fit the format: better half a message than none
            message = f"{record.msg} {record.args!r}"
        traceback = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        parts = (message, traceback, record.stack_info or "")
        words = escape(hide_secrets("\n".join(part for part in parts if part)[:_MAX_LINE]))
        if left_out := getattr(record, "left_out", 0):
            words += f" ({left_out:,} similar records were dropped)"
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        return f"{when} {record.levelname} {escape(record.name)} {words}"


class RepeatFilter(logging.Filter):
    """Lets pass `MAX_REPEATS` records a minute of each place in the code, and counts the others.

    Args:
        trusted: loggers of which everything passes, with those below them.
    """

    def __init__(self, trusted: Iterable[str]) -> None:
        super().__init__()
        self._trusted = tuple(trusted)
        self._seen: dict[tuple[str, int], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record passes; the first of the next minute carries how many did not."""
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
    """The app's own handler on the root logger, known by its class."""


def configure(level: str, extensions: Iterable[str] = ()) -> None:
    """Log from `level` on, one of `LEVELS`; called again, it only changes the level.

    Args:
        level: of the app's own loggers and of extensions'; the others' is WARNING at the least.
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
