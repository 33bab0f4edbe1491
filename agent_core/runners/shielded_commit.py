"""What ends a step is done whole: the rows and what is told of them belong together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

R = TypeVar("R")


async def whole(work: Coroutine[Any, Any, R]) -> R:
    """Await `work` to its end although whoever awaits it is cancelled meanwhile; that is told afterwards.

    A commit that has landed cannot be taken back, and its hooks are told once or never. A second
    cancellation does not wait any more.

    Raises:
        asyncio.CancelledError: the caller was cancelled; what became of `work` stands in the rows.
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
            task.exception()  # whoever is cancelled hears of nothing else
        raise
