"""The app's log: one escaped line for each record, on standard error, with the time and no secrets.

    2026-11-29T14:31:45.123+01:00 WARNING agent_core.runner Thread thread_01…: the turn failed at step 2, …

`CHAT_LOG_LEVEL` is that of the app, of agent_core and of extensions; libraries say what is a warning or
worse. What pages report is logged by Reflex and passes through here as well, so nobody can forge a line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from datetime import datetime

from agent_core.logs import escape
from agent_core.redaction import hide_secrets

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
OURS = ("agent_core", "chat_app")
_LONGEST = 100_000  # characters of a line


class OneLine(logging.Formatter):
    """Writes a record on one line, its traceback too."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time (ISO 8601), level, logger, message and traceback; line breaks in them are escaped."""
        try:
            message = record.getMessage()
        except Exception:  # the arguments don't fit the format: better half a message than none
            message = f"{record.msg} {record.args!r}"
        traceback = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        parts = (message, traceback, record.stack_info or "")
        words = escape(hide_secrets("\n".join(part for part in parts if part)[:_LONGEST]))
        when = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")
        return f"{when} {record.levelname} {escape(record.name)} {words}"


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
        handler.setFormatter(OneLine())
        root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for name in (*OURS, *extensions):
        logging.getLogger(name).setLevel(level)
