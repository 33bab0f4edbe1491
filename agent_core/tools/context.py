"""What a tool handler is told about the call it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from agent_core.tools.result import plain_json

Report = Callable[[Any], Awaitable[None]]
SetTimeout = Callable[[float | None], Awaitable[None]]


async def _nobody(data: Any) -> None:
    """Tell nobody: a context made by hand, in a test."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Passed to the parameter that is annotated with ToolContext, or named `ctx`.

    Attributes:
        thread_id: the thread the call stands in.
        tool_call_id: the call's id; unique within its thread.
        tool_name: the name the model called.
        user_id: whose thread it is, if known.
        attempt: 1 for the first attempt at this call.
        idempotency_key: the same in every attempt at this call, and in no other call: hand it to
            systems that take one.
    """

    thread_id: str
    tool_call_id: str
    tool_name: str
    user_id: str | None = None
    attempt: int = 1
    idempotency_key: str = ""
    _report: Report = field(default=_nobody, repr=False, compare=False)
    _set_timeout: SetTimeout = field(default=_nobody, repr=False, compare=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False, compare=False)

    async def report(self, data: Any) -> None:
        """Show progress to everyone who follows the thread; the newest report replaces the last.

        Args:
            data: whatever a tool may return as its result.

        Raises:
            ValidationError: the data is not JSON or too long.
        """
        await self._report(plain_json(data))

    def report_from_thread(self, data: Any) -> None:
        """Do what `report` does, from a handler that is not async; returns once it is done."""
        if self._loop is None:
            raise RuntimeError("report_from_thread is for handlers that are not async; await ctx.report().")
        asyncio.run_coroutine_threadsafe(self.report(data), self._loop).result()

    async def set_timeout(self, seconds: float | None) -> None:
        """Let an async tool's call wait so long for its outcome, counted from now, or for ever (None).

        It holds instead of the tool's own `timeout`. From outside: `api.set_tool_call_timeout`.

        Raises:
            ValidationError: the tool is no async tool, or `seconds` is not more than 0.
        """
        await self._set_timeout(seconds)
