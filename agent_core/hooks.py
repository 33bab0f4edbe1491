"""Call the application's hooks; their failures are logged and have no other effect."""

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
    """Queue of hooks that run in the background: a slow hook delays only later hooks of its thread."""

    def __init__(self) -> None:
        self._newest: dict[str, asyncio.Task[None]] = {}

    def soon(self, thread_id: str, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Schedule `function(*args)` after the earlier hooks of this thread."""
        before = self._newest.get(thread_id)
        task = asyncio.get_running_loop().create_task(_after(before, function, args))
        self._newest[thread_id] = task
        task.add_done_callback(functools.partial(self._ended, thread_id))

    def _ended(self, thread_id: str, task: asyncio.Task[None]) -> None:
        if self._newest.get(thread_id) is task:
            del self._newest[thread_id]

    async def close(self, grace: float) -> None:
        """Wait up to `grace` seconds for running hooks, then cancel them."""
        tasks = set(self._newest.values())  # each awaits the earlier hooks of its thread
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
        _log.exception("Unexpected error before a hook was called; the hook is skipped.")


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
