"""Provide standard loggers whose records contain no secrets and no injected lines.

Handlers, levels and formats are left to the application. Records are cleaned before any handler sees them:
secrets are hidden in error messages, tracebacks and arguments, control characters are escaped, and in arguments line
breaks, too.
"""

from __future__ import annotations

import logging
import re
import traceback
from types import TracebackType
from typing import Any, cast

from agent_core.text.redaction import hide_secrets

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\u034f\u115f\u1160\u2800\u3164\uffa0\U000e0000-\U000e0fff]"
)
"""Controls, line separators, invisible and bidirectional marks, blank letters, tags, lone surrogates."""
_IN_LINES = re.compile(rf"(?![\n\t]){_UNPRINTABLE.pattern}")
"""The same without the line breaks and tabs of a traceback."""

_MAX_VALUE = 100_000  # characters of one value or traceback


def get_logger(name: str) -> logging.Logger:
    """Return the standard logger of a module, with the filter that cleans its records."""
    logger = logging.getLogger(name)
    if not any(isinstance(known, _Cleaner) for known in logger.filters):
        logger.addFilter(_Cleaner())
    return logger


def escape(text: str) -> str:
    """Return a text on one line, with escapes for characters that end the line or change its display.

    Backslashes in the text are not escaped.
    """
    return _UNPRINTABLE.sub(_escaped, text)


def _printed(error: BaseException, tb: TracebackType | None) -> str:
    lines = traceback.format_exception(type(error), error, tb or error.__traceback__)
    return "".join(lines)[:_MAX_VALUE]


class _Cleaner(logging.Filter):
    """Filter that cleans records in place and drops none."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_clean(value) for value in record.args)
        if record.exc_info and not record.exc_text and (error := record.exc_info[1]):
            printed = _printed(error, record.exc_info[2])
            record.exc_text = _safe(printed).rstrip("\n")
            is_cut = len(printed) == _MAX_VALUE
            if is_cut or record.exc_text != printed.rstrip("\n"):  # many handlers format the error themselves
                error = _without_secrets(error, {})
                record.exc_info = (type(error), error, record.exc_info[2])
        return True


def _without_secrets(error: BaseException, known: dict[int, BaseException]) -> BaseException:
    """Return a copy of an error and its causes that prints the same, with secrets hidden.

    Args:
        error: the original, which is not changed.
        known: copies made so far, by the ids of their originals.
    """
    if id(error) in known:
        return known[id(error)]
    twin = _renamed(error, known)
    known[id(error)] = twin
    twin.__traceback__, twin.__notes__ = error.__traceback__, _notes(error)
    twin.__cause__ = _without_secrets(error.__cause__, known) if error.__cause__ else None
    twin.__context__ = _without_secrets(error.__context__, known) if error.__context__ else None
    twin.__suppress_context__ = error.__suppress_context__
    return twin


def _renamed(error: BaseException, known: dict[int, BaseException]) -> BaseException:
    """Return an error of a class of the same name, with secrets hidden in its message."""
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__}
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        inner = [_without_secrets(each, known) for each in group.exceptions]
        made: Any = type(kind.__name__, (BaseExceptionGroup,), names)
        return made(_safe(group.message[:_MAX_VALUE]), inner)
    try:
        words = str(error)
    except Exception:  # a __str__ that fails itself
        words = ""
    return type(kind.__name__, (BaseException,), names)(_safe(words[:_MAX_VALUE]))


def _safe(text: str) -> str:
    """Return lines of text without secrets, with escapes for characters that change their display."""
    return _IN_LINES.sub(_escaped, hide_secrets(text))


def _notes(error: BaseException) -> list[str]:
    return [_safe(str(note)[:_MAX_VALUE]) for note in getattr(error, "__notes__", ())]


def _clean(value: Any) -> Any:
    if isinstance(value, bool | int | float) or value is None:
        return value
    try:
        text = value if isinstance(value, str) else str(value)
    except Exception:  # a __str__ that fails itself
        text = type(value).__name__
    return escape(hide_secrets(text[:_MAX_VALUE]))


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(letter)
    number = ord(letter)
    return named or (
        f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65536 else f"\\U{number:08x}"
    )
