"""Define the context of a tool call for its handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from agent_core.tools.result import plain_json

Report = Callable[[Any], Awaitable[None]]
_SetTimeout = Callable[[float | None], Awaitable[None]]


async def _no_op(data: Any) -> None:
    """Drop a report of a context that was made by hand, in a test."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Context of a tool call, passed to the parameter annotated with ToolContext, or named `ctx`.

    Attributes:
        thread_id: the thread of the call.
        tool_call_id: id of the call, unique within its thread.
        tool_name: name of the tool, as the model called it.
        user_id: owner of the thread, if known.
        attempt: 1 for the first attempt at this call.
        idempotency_key: unique to the call and the same in all of its attempts; pass it to systems
            that accept such a key.
    """

    thread_id: str
    tool_call_id: str
    tool_name: str
    user_id: str | None = None
    attempt: int = 1
    idempotency_key: str = ""
    _report: Report = field(default=_no_op, repr=False, compare=False)
    _set_timeout: _SetTimeout = field(default=_no_op, repr=False, compare=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False, compare=False)

    async def report(self, data: Any) -> None:
        """Report progress to the thread's subscribers; a report replaces the previous one.

        Args:
            data: any value that a tool may return.

        Raises:
            ValidationError: the data is not JSON or too long.
        """
        await self._report(plain_json(data))

    def report_from_thread(self, data: Any) -> None:
        """Report progress like `report`, from a sync handler; blocks until done."""
        if self._loop is None:
            raise RuntimeError("report_from_thread is for sync handlers; use await ctx.report().")
        asyncio.run_coroutine_threadsafe(self.report(data), self._loop).result()

    async def set_timeout(self, seconds: float | None) -> None:
        """Set the timeout of an async tool's call in seconds from now; None for no timeout.

        Overrides the tool's own `timeout`. From outside: `api.set_tool_call_timeout`.

        Raises:
            ValidationError: the tool is not an async tool, or `seconds` is not more than 0.
        """
        await self._set_timeout(seconds)
