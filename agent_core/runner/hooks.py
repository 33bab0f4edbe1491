"""Calling what the application asked to be told; its failures are logged and change nothing."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

_log = logging.getLogger(__name__)


async def call_hook(hook: Callable[..., Any] | None, *args: Any) -> None:
    """Call a sync or async hook, if there is one."""
    if hook is None:
        return
    try:
        result = hook(*args)
        if inspect.isawaitable(result):
            await result
    except Exception:
        _log.exception("The hook %r failed; nothing else is affected.", getattr(hook, "__name__", hook))
