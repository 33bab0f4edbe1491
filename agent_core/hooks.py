"""Calling what the application asked to be told; its failures are logged and change nothing."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from agent_core.errors import as_exception
from agent_core.support.logs import get_logger

_log = get_logger(__name__)


class Hooks:
    """Calls hooks beside the work: a slow one delays nothing but the later ones of its thread."""

    def __init__(self) -> None:
        self._newest: dict[str, asyncio.Task[None]] = {}

    def soon(self, thread_id: str, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Await `function(*args)` once what was given earlier for this thread has ended."""
        before = self._newest.get(thread_id)
        task = asyncio.get_running_loop().create_task(_after(before, function, args))
        self._newest[thread_id] = task
        task.add_done_callback(functools.partial(self._ended, thread_id))

    def _ended(self, thread_id: str, task: asyncio.Task[None]) -> None:
        if self._newest.get(thread_id) is task:
            del self._newest[thread_id]

    async def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for hooks under way, then cancel them."""
        tasks = set(self._newest.values())  # each waits for the earlier ones of its thread
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)


async def _after(
    before: asyncio.Task[None] | None, function: Callable[..., Awaitable[None]], args: tuple[Any, ...]
) -> None:
    if before is not None:
        await asyncio.wait({before})
    try:
        await function(*args)
    except Exception:
        _log.exception("What leads to a hook failed; nothing else is affected.")


async def call_hook(hook: Callable[..., Any] | None, *args: Any) -> None:
    """Call a sync or async hook, if there is one."""
    if hook is None:
        return
    try:
        result = hook(*args)
        if inspect.isawaitable(result):
            await result
    except BaseException as error:
        failure = as_exception(error, "A hook")
        name = getattr(hook, "__name__", hook)
        _log.error("The hook %r failed; nothing else is affected.", name, exc_info=failure)
