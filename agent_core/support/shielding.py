"""Work that ends although its caller is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


async def shielded(work: Coroutine[Any, Any, R]) -> R:
    """Shield work from the cancellation of its caller, so that it ends whole: a commit with its hooks.

    A second cancellation ends the wait.

    Raises:
        asyncio.CancelledError: the caller was cancelled; the rows say whether `work` has committed.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            try:
                await asyncio.wait({task})
            finally:
                task.cancel()
        if not task.cancelled():
            task.exception()  # retrieved, so that asyncio does not log it; the caller gets the cancellation
        raise
