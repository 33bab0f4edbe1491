"""Retry reads for some seconds while the database server is away."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from agent_core.store.database.open import translate
from agent_core.store.database.pg_errors import is_away

C = TypeVar("C", bound=type[Any])
_RECONNECT_TIMEOUT = 10.0  # seconds, as for writes
_RETRY_INTERVAL = 0.1  # seconds


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
