"""Patience: a read that finds the server away is made again, and waits some seconds for its return."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from agent_core.store.database.open import translate
from agent_core.store.database.pg_errors import is_away

C = TypeVar("C", bound=type[Any])
_RECONNECT_TIMEOUT = 10.0  # seconds, as long as writes wait
_RETRY_INTERVAL = 0.1


def patient(cls: C) -> C:
    """Make every public method of a class that reads patient, and its errors sentences.

    Raises:
        DatabaseError: (its methods) the database refused, or was away for too long.
    """
    for name, method in list(vars(cls).items()):
        if callable(method) and not name.startswith("_") and name != "session":
            setattr(cls, name, _patiently(method))
    return cls


def _patiently(read: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(read)
    def again(*args: Any, **kwargs: Any) -> Any:
        deadline = time.monotonic() + _RECONNECT_TIMEOUT
        while True:
            try:
                return read(*args, **kwargs)
            except Exception as error:
                said = translate(error)
                if said is error and not isinstance(error, SQLAlchemyError):
                    raise
                if not is_away(error) or time.monotonic() > deadline:
                    raise said from error
            time.sleep(_RETRY_INTERVAL)

    return again
