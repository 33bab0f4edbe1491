"""Run tool calls: claim one, call its handler and commit exactly one outcome."""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from agent_core.agent import AnyAgent
from agent_core.domain.end_reasons import IN_DOUBT, End, EndReason, failed
from agent_core.domain.messages import Part, StoredFile
from agent_core.domain.validation import clean_words
from agent_core.domain.wake_ups.suspects import Suspicion
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.errors import DatabaseError, ThreadNotFoundError, ValidationError, as_exception, note_attempt
from agent_core.runners.history_cache import HistoryCache
from agent_core.runners.journal import Journal
from agent_core.sentences import sentence
from agent_core.store.database.sql import load
from agent_core.store.database.transaction import FenceLost, Tx
from agent_core.store.store import Store
from agent_core.store.tool_calls import calls, outcomes, timeouts
from agent_core.store.tool_calls.calls import ClaimedCall
from agent_core.support.faults import crash_point
from agent_core.support.logs import get_logger
from agent_core.tools import (
    Tool,
    ToolContext,
    ToolTimeoutError,
    check_timeout,
    encode_result,
    execute,
    take_pictures,
)

R = TypeVar("R")
_log = get_logger(__name__)
_REPORT_DELAY = 1.0  # seconds after which readers are shown that a tool runs, and since when
_WRITE_RETRY_INTERVAL = 0.5  # seconds between attempts to write an outcome


class ToolRunner:
    """Runs tool calls, and adds their outcomes to the cached histories."""

    def __init__(self, store: Store, history_cache: HistoryCache) -> None:
        self._history_cache = history_cache
        self._writer = store.writer
        self._agents: Mapping[str, AnyAgent] = store.agents
        self._worker = store.process
        self._settings = store.settings
        self._clock = store.clock
        self._journal = Journal(store.observers, store.clock)
        self._executing = store.executing
        self._reports: set[asyncio.Task[None]] = set()
        self.live: dict[WakeUpKey, ClaimedCall] = {}
        """The claims of the running calls, by the key of their wake-up; see `ModelRunner.live`."""

    async def call(self, key: WakeUpKey) -> None:
        """Run a tool call, unless it has ended or another worker has claimed it.

        Raises:
            UnknownAgent: this process does not know the call's agent.
        """
        _, thread_id, call_id = key
        claimed = await self._writer.run_for(
            thread_id, calls.claim, thread_id, call_id, self._worker, self._agents
        )
        if claimed is None:
            return
        crash_point("tool.claimed")
        self.live[key] = claimed
        try:
            await self._run(claimed)
        except (FenceLost, ThreadNotFoundError):
            _log.info(
                "Thread %s: the run of call %s ends here; the call has its outcome, or another attempt.",
                thread_id,
                call_id,
            )
        finally:
            del self.live[key]

    async def expire(self, key: WakeUpKey) -> None:
        """Fail an async tool call whose outcome did not come in time."""
        try:
            await self._writer.run(timeouts.expire, key.thread_id, key.call_id, self._worker)
        except (FenceLost, ThreadNotFoundError):
            await self._writer.run(_delete_wake_up, key)

    async def _run(self, call: ClaimedCall) -> None:
        try:
            agent = await self._agents[call.agent].resolve(call.user_id, call.thread_id)
            tool = agent.tools.get(call.name)
        except BaseException as error:
            failure = as_exception(error, f"The agent {call.agent!r}")
            self._journal.tool_failed(call, failure, None)
            await self._end(call, error=failed(clean_words(failure)))
            return
        if call.in_doubt:
            self._journal.tool_taken_over(call, tool is not None and tool.rerun_on_interrupt)
        if call.in_doubt and (tool is None or not tool.rerun_on_interrupt):
            await self._end(call, error=IN_DOUBT)
        elif call.crashes >= self._settings.max_crashes:
            await self._seal(call)
        elif tool is None:
            self._journal.tool_ended(call, "failed", "tool_gone")
            await self._end(call, error=failed(sentence("tool_gone", tool=call.name)))
        else:
            await self._execute(call, tool)

    async def _seal(self, call: ClaimedCall) -> None:
        words = sentence("tool_poisoned", count=call.crashes)
        self._journal.tool_ended(call, "sealed", EndReason.POISONED)
        await self._write(call.thread_id, outcomes.seal, call, End(EndReason.POISONED, words))
        self._cache_outcome(call, {"state": "output-error", "errorText": words})

    async def _execute(self, call: ClaimedCall, tool: Tool) -> None:
        context = ToolContext(
            thread_id=call.thread_id,
            tool_call_id=call.id,
            tool_name=call.name,
            user_id=call.user_id,
            attempt=call.attempt,
            idempotency_key=f"{call.thread_id}:{call.id}",
            _report=functools.partial(self._report, call),
            _set_timeout=functools.partial(self._set_timeout, call, tool),
        )
        try:
            # Readers are shown that a call runs, unless it ends soon.
            timer = asyncio.get_running_loop().call_later(_REPORT_DELAY, self._start_report, call)
            try:
                with self._executing(call.turn, f"tool:{call.id}:{call.attempt}"):
                    result = await execute(tool, call.input, context)
            finally:
                timer.cancel()
            result, pictures = take_pictures(result)
            output = None if tool.kind == "async" else encode_result(result)
        except FenceLost:
            raise
        except asyncio.CancelledError:
            self._journal.tool_ended(call, "cancelled")
            raise
        except Exception as error:
            await self._retry_or_end(call, tool, error)
            return
        crash_point("tool.ran")
        self._journal.tool_ended(call, "handed_over" if output is None else "succeeded", result=output)
        if output is None:
            await self._write(call.thread_id, timeouts.hand_over, call, tool.timeout)
        else:
            await self._end(call, output=output, suspicion=call.suspicion, pictures=pictures)

    async def _retry_or_end(self, call: ClaimedCall, tool: Tool, error: Exception) -> None:
        delay, words = None, clean_words(error)
        if tool.retry is not None:
            note_attempt(error, call.attempt, tool.retry.max_attempts)
            try:
                delay = await tool.retry.decide(call.attempt, error)
            except ValidationError as invalid:  # from the application's `classify`
                words = clean_words(invalid)
        self._journal.tool_failed(call, error, delay)
        end = End(EndReason.TIMED_OUT if isinstance(error, ToolTimeoutError) else EndReason.ERROR, words)
        if delay is None:
            await self._end(call, error=end, suspicion=call.suspicion)
        else:
            await self._write(call.thread_id, calls.retry, call, end, self._clock.now() + delay)

    async def _report(self, call: ClaimedCall, data: Any) -> None:
        try:
            await self._writer.run(calls.report, call, data)
        except DatabaseError as error:  # a lost progress report must not fail the tool
            _log.warning(
                "Thread %s: the progress of call %s was not written: %s", call.thread_id, call.id, error
            )

    def _start_report(self, call: ClaimedCall) -> None:
        task = asyncio.get_running_loop().create_task(self._report_run(call))
        self._reports.add(task)
        task.add_done_callback(self._reports.discard)

    async def _report_run(self, call: ClaimedCall) -> None:
        with contextlib.suppress(FenceLost, ThreadNotFoundError, DatabaseError):
            await self._writer.run(calls.report_run, call)

    async def _set_timeout(self, call: ClaimedCall, tool: Tool, seconds: float | None) -> None:
        check_timeout(tool, seconds)
        await self._writer.run(timeouts.change_own, call, seconds)

    async def _write(self, thread_id: str, function: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        """Write the outcome of a tool, retrying while the database refuses.

        The tool must not run again, and only this process has its outcome.
        """
        while True:
            try:
                return await self._writer.run_for(thread_id, function, *args, **kwargs)
            except DatabaseError as error:
                if self._writer.closed:
                    raise
                about = thread_id, _WRITE_RETRY_INTERVAL
                _log.warning("Thread %s: a tool's outcome was not written; retry in %g s: %s", *about, error)
                await asyncio.sleep(_WRITE_RETRY_INTERVAL)

    async def _end(
        self,
        call: ClaimedCall,
        *,
        output: str | None = None,
        error: End | None = None,
        suspicion: Suspicion | None = None,
        pictures: Sequence[StoredFile] = (),
    ) -> None:
        await self._write(
            call.thread_id,
            outcomes.finish,
            call.thread_id,
            call.id,
            output=output,
            error=error,
            attempt=call.attempt,
            timed=output is None,  # an output here is an action tool's, which has no timeout
            suspicion=suspicion,
            pictures=pictures,
        )
        crash_point("tool.commit.after")
        if error is not None:
            self._cache_outcome(call, {"state": "output-error", "errorText": error.text})
        else:
            self._cache_outcome(call, {"state": "output-available", "output": load(output)})

    def _cache_outcome(self, call: ClaimedCall, outcome: Part) -> None:
        # With the input: a person may have edited it since the model asked.
        self._history_cache.add_outcome(call.thread_id, call.id, {"input": call.input, **outcome})


def _delete_wake_up(tx: Tx, key: WakeUpKey) -> None:
    tx.wake.done(tx, key)
