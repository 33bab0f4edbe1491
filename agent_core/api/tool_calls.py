"""Report outcomes of tool calls, set their timeouts, and approve or deny them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from agent_core.agent import NOBODY, AnyAgent, CallContext
from agent_core.api.base import ApiBase, owner_of, storable
from agent_core.domain.field_limits import (
    MAX_ERROR,
    MAX_IDS,
    MAX_REASON,
    MAX_RESULT_BYTES,
    check_count,
    check_json,
    check_number,
    check_text,
)
from agent_core.domain.messages import StoredFile, Waiting
from agent_core.domain.validation import clean_json, clean_text
from agent_core.errors import (
    AmbiguousToolCallError,
    ToolCallNotFoundError,
    UnreachableToolCallError,
    ValidationError,
)
from agent_core.sentences import sentence
from agent_core.store.tool_calls import approvals, outcomes, timeouts
from agent_core.support.logs import get_logger
from agent_core.text.redaction import hide_secrets
from agent_core.tools import Tool, check_timeout, encode_result, parse_arguments, take_pictures

_log = get_logger(__name__)
_MAX_THREADS = 50  # most threads with one call id that are authorized


class ToolCallMethods(ApiBase):
    """Methods by which people and other systems take part in tool calls."""

    async def add_tool_result(
        self, tool_call_id: str, result: Any, *, thread_id: str | None = None, ctx: CallContext | None = None
    ) -> None:
        """Report the result of an async tool call.

        Raises:
            ToolCallNotFoundError, AmbiguousToolCallError
            ToolCallFinishedError: the call has its outcome, or waits for approval.
            ValidationError: the result is not JSON, or too long.
        """
        result, pictures = take_pictures(result)
        await self._outcome(ctx, tool_call_id, thread_id, encode_result(result), None, pictures)

    async def add_tool_error(
        self, tool_call_id: str, error: str, *, thread_id: str | None = None, ctx: CallContext | None = None
    ) -> None:
        """Report the failure of an async tool call.

        Raises:
            ToolCallNotFoundError, AmbiguousToolCallError
            ToolCallFinishedError: the call has its outcome, or waits for approval.
        """
        check_text("The error", error, MAX_ERROR)
        await self._outcome(
            ctx, tool_call_id, thread_id, None, clean_text(hide_secrets(error)) or sentence("tool_failed")
        )

    async def _outcome(
        self,
        ctx: CallContext | None,
        call_id: str,
        thread_id: str | None,
        output: str | None,
        error: str | None,
        pictures: Sequence[StoredFile] = (),
    ) -> None:
        thread_id = await self._locate(ctx, call_id, thread_id)
        await self.store.writer.run(outcomes.finish_from_outside, call_id, thread_id, output, error, pictures)

    async def _locate(self, ctx: CallContext | None, call_id: str, thread_id: str | None) -> str:
        """Return the thread of a call that the caller may access."""
        if not storable(call_id) or not storable(thread_id or ""):
            raise ToolCallNotFoundError(sentence("tool_call_not_found", call=call_id))
        if thread_id is None:
            return await self._thread_of(ctx, call_id)
        await self._authorize(ctx, thread_id)
        return thread_id

    async def set_tool_call_timeout(
        self,
        tool_call_id: str,
        seconds: float | None,
        *,
        thread_id: str | None = None,
        ctx: CallContext | None = None,
    ) -> None:
        """Set, move or remove the timeout of an open async tool call.

        Args:
            seconds: the timeout from now on, at most ten years; None: no timeout.
            thread_id: the thread of the call; needed only if several threads have a call with this id.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError, AmbiguousToolCallError
            ValidationError: the tool is not async, or `seconds` is invalid.
        """
        thread_id = await self._locate(ctx, tool_call_id, thread_id)
        check_timeout(await self._tool(thread_id, tool_call_id), seconds)
        await self.store.writer.run(timeouts.change, tool_call_id, thread_id, seconds)

    async def _thread_of(self, ctx: CallContext | None, call_id: str) -> str:
        """Return the only thread with this call that the caller may access, without revealing any other."""
        may: list[str] = []
        for thread_id in await asyncio.to_thread(self.store.reads.threads_of_call, call_id, _MAX_THREADS):
            try:
                await self._authorize(ctx, thread_id)
            except Exception:
                _log.debug(
                    "Skipped a thread with the tool call %r, because the caller may not access it.", call_id
                )
            else:
                may.append(thread_id)
        if len(may) == 1:
            return may[0]
        if may:
            raise AmbiguousToolCallError(
                f"Several threads have a tool call {call_id!r}; pass thread_id as well."
            )
        if self._authorize_with is None:
            raise ToolCallNotFoundError(sentence("tool_call_not_found", call=call_id))
        raise UnreachableToolCallError(
            f"There is no tool call {call_id!r} that you may answer; pass thread_id to name its thread."
        )

    async def list_waiting(
        self, limit: int = 100, *, user_id: str | None = None, ctx: CallContext | None = None
    ) -> list[Waiting]:
        """Return the calls that wait for an approval or for an outcome from outside, longest wait first.

        Args:
            limit: maximum number of calls, at least 1.
            user_id: only calls in this user's threads.
            ctx: the caller; if it has a user, only calls in that user's threads, regardless of `user_id`.
        """
        check_number("limit", limit)
        owner = owner_of(ctx, user_id)
        if owner is NOBODY:
            return []
        return await self.store.read(approvals.waiting, limit, owner)

    async def approve_tool_calls(
        self,
        thread_id: str,
        ids: Sequence[str],
        *,
        args: dict[str, dict[str, Any]] | None = None,
        ctx: CallContext | None = None,
    ) -> None:
        """Approve tool calls, either all or none.

        Args:
            ids: the calls.
            args: edited arguments by call id; the other calls run exactly as they were shown.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError
            ValidationError: edited arguments do not fit the tool.
        """
        await self._authorize(ctx, thread_id)
        _check_ids(ids)
        edited = {name: await self._fit(thread_id, name, given) for name, given in (args or {}).items()}
        await self.store.writer.run(approvals.decide, thread_id, ids, approved=True, reason=None, args=edited)

    async def _fit(self, thread_id: str, call_id: str, given: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(given, dict):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ValidationError(f"The edited arguments of {call_id!r:.60} are a dict.")
        clean: dict[str, Any] = clean_json(given)
        check_json(f"The edited arguments of {call_id!r:.60}", clean, MAX_RESULT_BYTES)
        tool = await self._tool(thread_id, call_id)
        return parse_arguments(tool, clean) if tool else clean

    async def _tool(self, thread_id: str, call_id: str) -> Tool | None:
        """Return the tool of a call; None if the call or the tool does not exist."""
        call = await asyncio.to_thread(self.store.reads.call, thread_id, call_id)
        thread = await self._thread(thread_id)
        known: AnyAgent | None = self.store.agents.get(thread.agent)
        if known is None:
            raise ValidationError(sentence("agent_of_call_unknown", agent=thread.agent))
        agent = await known.resolve(thread.user_id, thread_id)
        return agent.tools.get(call.name) if call else None

    async def deny_tool_calls(
        self, thread_id: str, ids: Sequence[str], reason: str | None = None, *, ctx: CallContext | None = None
    ) -> None:
        """Deny tool calls, either all or none.

        Raises:
            ToolCallNotFoundError, ToolCallFinishedError
        """
        await self._authorize(ctx, thread_id)
        _check_ids(ids)
        check_text("The reason", reason, MAX_REASON)
        words = None if reason is None else clean_text(reason)
        await self.store.writer.run(approvals.decide, thread_id, ids, approved=False, reason=words, args=None)


def _check_ids(ids: Sequence[str]) -> None:
    if isinstance(ids, str) or not isinstance(ids, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("The ids of tool calls are a list.")
    check_count("ids", ids, MAX_IDS)
    if unknown := [call_id for call_id in ids if not storable(call_id)]:
        raise ToolCallNotFoundError(sentence("tool_call_not_found", call=unknown[0]))
