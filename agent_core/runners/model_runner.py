"""Run model steps: claim one, ask the model, flush its chunks as deltas and commit the step whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from agent_core.agent import Agent, AnyAgent
from agent_core.context.provider_messages import to_provider
from agent_core.domain.messages import Chunk, CommittedMessage
from agent_core.domain.turn_options import TurnOptions
from agent_core.domain.validation import clean_words
from agent_core.domain.wake_ups.wake_up_key import WakeUpKey
from agent_core.errors import (
    AgentCoreError,
    DatabaseError,
    ModelError,
    PoisonedStepError,
    StepLimitError,
    ValidationError,
    as_exception,
    note_attempt,
)
from agent_core.hooks import call_hook
from agent_core.runners.admission import StepAdmission
from agent_core.runners.file_parts import ResponseFiles
from agent_core.runners.flusher import Flusher
from agent_core.runners.history import History, call_ids_of
from agent_core.runners.history_cache import EndedTurn, HistoryCache, OpenTurn, after_step
from agent_core.runners.journal import Journal
from agent_core.runners.request_builder import PreparedRequest, RequestBuilder
from agent_core.runners.step_record import new_calls, stored_parts, usage_of, usage_of_failure
from agent_core.runners.title_runner import TitleRunner
from agent_core.runners.turn_agent import check_answer, for_turn, is_client_tool
from agent_core.sentences import info_of, sentence
from agent_core.store.database.transaction import FenceLost
from agent_core.store.store import Store
from agent_core.store.tool_calls.calls import NewCall
from agent_core.store.turns import claims, steps
from agent_core.store.turns.claims import Claim
from agent_core.store.turns.steps import ModelFiles
from agent_core.streaming.model_step import StepResult, model_step
from agent_core.support.execution_record import in_thread
from agent_core.support.faults import crash_point
from agent_core.support.logs import get_logger
from agent_core.support.shielding import shielded

R = TypeVar("R")
_log = get_logger(__name__)
_WRITE_RETRY_INTERVAL = 0.5  # seconds between attempts to write an answer


@dataclass(slots=True)
class _Attempt:
    """One attempt at one model step: the request, where its chunks go, and whether it is committed.

    The agent is fitted to the options of the turn.
    """

    claim: Claim
    agent: Agent
    options: TurnOptions | None
    request: PreparedRequest
    flusher: Flusher
    files: ResponseFiles
    is_committed: bool = False

    def open_turn(self, result: StepResult, calls: list[NewCall]) -> OpenTurn:
        """Return the history for the next step of this turn."""
        open_ids = {call.id for call in calls if call.error is None}
        failed = {call.id: call.error for call in calls if call.error is not None}
        parts = [
            part | {"state": "output-error", "errorText": failed[part["toolCallId"]]}
            if part.get("toolCallId") in failed
            else part
            for part in result.parts
        ]
        return OpenTurn(self.claim.seq, self.request.history, parts, open_ids)

    def ended_turn(self, result: StepResult, cursor: int) -> EndedTurn:
        """Return the history for the next turn, after this step has ended the turn with the delta `cursor`."""
        history = after_step(self.request.history, result.parts)
        return EndedTurn(self.claim.seq, cursor, self.agent.system, history)


class ModelRunner:
    """Runs model steps."""

    def __init__(self, store: Store, history_cache: HistoryCache) -> None:
        self._history_cache = history_cache
        self._hooks = store.hooks
        self._admission = StepAdmission(store)
        self._requests = RequestBuilder(store.writer, store.reads, store.clock)
        self._writer = store.writer
        self._reads = store.reads
        self._agents: Mapping[str, AnyAgent] = store.agents
        self._worker = store.process
        self._settings = store.settings
        self._clock = store.clock
        self._journal = Journal(store.observers, store.clock)
        self._titles = TitleRunner(store.writer, store.reads, store.hooks, self._admission, self._journal)
        self._executing = store.executing
        self.closing = False
        self.live: dict[str, Claim] = {}
        """The claims of the running steps, by thread; `StopWatch` compares their fences with the rows."""
        self._flushers: dict[str, Flusher] = {}

    async def step(self, key: WakeUpKey) -> None:
        """Run the next model step of a thread, unless there is none or another worker has claimed it.

        Raises:
            UnknownAgent: this process does not know the thread's agent.
        """
        thread_id = key.thread_id
        claim = await self._writer.run_for(thread_id, claims.claim, thread_id, self._worker, self._agents)
        if claim is None:
            return
        crash_point("claim.after")
        if claim.taken_from is not None:
            self._journal.step_taken_over(claim)
        self.live[thread_id] = claim
        try:
            await self._run(claim)
        except FenceLost:
            _log.info("Thread %s: step %d ends here; its fence has moved on.", thread_id, claim.seq)
        finally:
            if self.live.get(thread_id) is claim:
                del self.live[thread_id]

    async def flush(self, thread_id: str) -> None:
        """Flush the pending chunks of a thread's running step, so that a stop keeps all of its text."""
        if (flusher := self._flushers.get(thread_id)) is not None:
            await flusher.flush()

    async def _run(self, claim: Claim) -> None:
        agent = self._agents[claim.agent]
        try:
            attempt = await self._prepare(claim, await agent.resolve(claim.user_id, claim.thread_id))
        except BaseException as error:
            await self._fail_unprepared(claim, agent, error)
        else:
            if attempt is not None:
                await self._drive(attempt)
                self._admission.ended(claim, attempt.agent)

    async def _fail_unprepared(self, claim: Claim, agent: AnyAgent, error: BaseException) -> None:
        try:
            failure = as_exception(error, f"The agent {claim.agent!r}")
        except asyncio.CancelledError:
            await self._release(claim, [])
            raise
        if _is_temporary(failure):
            raise failure
        await self._fail(claim, agent, failure, [])

    async def _prepare(self, claim: Claim, agent: Agent) -> _Attempt | None:
        """Return the attempt; None if the thread is paused by a limit or a budget."""
        claim = claim._replace(fingerprint=agent.fingerprint)
        if claim.crashes >= self._settings.max_crashes:
            raise PoisonedStepError(sentence("step_poisoned", count=claim.crashes))
        if claim.steps >= agent.max_steps:
            raise StepLimitError(sentence("step_limit_reached", count=claim.steps, agent=agent.name))
        history = await self._history(claim, agent)
        options = TurnOptions.of(claim.options)
        agent = await for_turn(agent, options, history)
        if not await self._admission.admit(claim, agent, history):
            return None
        task = asyncio.current_task()
        assert task is not None, "a step runs as a task of its workpool"
        throttle = agent.streaming.throttle_ms / 1000 if agent.streaming.enabled else None
        flusher = Flusher(self._writer, claim, throttle, task.cancel)
        request = await self._requests.prepare(agent, claim.thread_id, history)
        await self._admission.prepared(claim, agent, request)
        files = ResponseFiles(self._writer, claim)
        return _Attempt(claim, agent, options, request, flusher, files)

    async def _history(self, claim: Claim, agent: Agent) -> History:
        """Return the history from the cache, or from the rows where the cache does not hold."""
        if (cached := self._history_cache.for_step(claim.thread_id, claim.seq)) is not None:
            return cached
        with in_thread():
            return await self._read_history(claim, agent)

    async def _read_history(self, claim: Claim, agent: Agent) -> History:
        turn = self._history_cache.ended_turn(claim.thread_id, claim.seq, agent.system)
        if turn is not None:
            updates = await asyncio.to_thread(self._reads.updates, claim.thread_id, turn.cursor)
            if (cached := turn.followed_by(updates)) is not None:
                return cached
        messages, ids = await asyncio.to_thread(self._reads.history, claim.thread_id)
        ids = ids.union(*(call_ids_of(message.parts) for message in messages))
        return History.of(to_provider(messages, agent.system), ids)

    async def _drive(self, attempt: _Attempt) -> None:
        claim, agent, flusher = attempt.claim, attempt.agent, attempt.flusher
        self._flushers[claim.thread_id] = flusher
        try:
            with self._executing(claim.turn, f"model:{claim.seq}"):
                while (again := await self._ask(attempt)) is not None:
                    attempt = again
        except asyncio.CancelledError:
            if not attempt.is_committed:  # else the journal has it
                self._journal.step_cancelled(claim, agent.model.name)
            await self._release(claim, await flusher.close())
            raise
        except ModelError as error:
            await shielded(self._retry_or_fail(attempt, error, await flusher.close()))
        except FenceLost:
            raise
        except Exception as error:
            # Not an error of the model: the commit was refused, or this library has a bug. Another request
            # would not help. If the database refuses this write, too, the reconciler returns to the step.
            rest = await flusher.close()
            if _is_temporary(error):
                raise
            await shielded(self._fail(claim, agent, error, rest))
        finally:
            if self._flushers.get(claim.thread_id) is flusher:
                del self._flushers[claim.thread_id]

    async def _ask(self, attempt: _Attempt) -> _Attempt | None:
        """Ask the model and commit its answer; return the next attempt if the provider refused the request."""
        began = False
        chunks = model_step(
            attempt.agent.model,
            attempt.request.request,
            taken_ids=attempt.request.history.call_ids,
            include_tool_input_deltas=attempt.agent.streaming.include_tool_input_deltas,
            opening=attempt.request.opening,
            is_client_tool=partial(is_client_tool, attempt.agent),
        )
        try:
            async with contextlib.aclosing(chunks):
                async for event in chunks:
                    if isinstance(event, StepResult):
                        check_answer(attempt.options, event, attempt.agent.model)
                        parts = attempt.files.with_stored_urls(event.parts)
                        result = event if parts is event.parts else replace(event, parts=parts)
                        await shielded(self._commit(attempt, result))
                    else:
                        began = True
                        chunk = await attempt.files.store(event) if event["type"] == "file" else event
                        attempt.flusher.add(chunk)
        except ModelError as error:
            agent, thread_id, asked = attempt.agent, attempt.claim.thread_id, attempt.request
            again = None if began else await self._requests.without_refused(agent, thread_id, asked, error)
            if again is None:
                raise
            return replace(attempt, request=again)
        return None

    async def _release(self, claim: Claim, rest: list[Chunk]) -> None:
        """Release a step if the worker is closing; a cancelled step is otherwise one that was stopped."""
        if self.closing:
            with contextlib.suppress(FenceLost, AgentCoreError):
                await self._writer.run(steps.release, claim, rest, self._clock.now())

    async def _commit(self, attempt: _Attempt, result: StepResult) -> None:
        claim, agent, ended_at = attempt.claim, attempt.agent, self._clock.now()
        if (more := attempt.request.usage) is not None:
            result = replace(result, usage=more if result.usage is None else result.usage + more)
        rest = await attempt.flusher.close()
        calls = new_calls(agent, result)
        ends_turn = not calls and not result.is_paused
        if not ends_turn:
            # Before the commit: the tools may end before this coroutine continues.
            self._history_cache.put(claim.thread_id, attempt.open_turn(result, calls))
        crash_point("commit.before")
        cursor = await self._write(
            claim,
            steps.commit,
            parts=stored_parts(result),
            chunks=rest,
            new_calls=calls,
            usage=usage_of(agent, result),
            first=attempt.flusher.first,
            accepted=ModelFiles(agent.model.name, attempt.request.files.retried),
            unsigned=agent.model.name if attempt.request.was_unsigned else None,
            paused=result.is_paused,
            metered=self._admission.metered,
        )
        crash_point("commit.after")
        attempt.is_committed = True
        request = attempt.request.request
        self._journal.step_committed(claim, agent.model.name, len(calls), result, request, ended_at)
        if ends_turn:
            self._history_cache.put(claim.thread_id, attempt.ended_turn(result, cursor))
            self._titles.start(claim, agent, attempt.request.history.messages)
        if agent.on_message_complete is not None or (agent.on_turn_complete is not None and ends_turn):
            self._hooks.soon(claim.thread_id, self._call_complete_hooks, claim, agent, result)

    async def _write(self, claim: Claim, function: Callable[..., R], **values: Any) -> R:
        """Commit an answer, retrying while the database is away: only this process has the answer."""
        while True:
            try:
                return await self._writer.run_for(claim.thread_id, function, claim, **values)
            except DatabaseError as error:
                if not error.is_temporary or self._writer.closed:
                    raise
                about = claim.thread_id, _WRITE_RETRY_INTERVAL
                _log.warning("Thread %s: an answer was not written; retry in %g s: %s", *about, error)
                await asyncio.sleep(_WRITE_RETRY_INTERVAL)

    async def _call_complete_hooks(self, claim: Claim, agent: Agent, result: StepResult) -> None:
        message = await asyncio.to_thread(self._reads.message, claim.thread_id, claim.message_id)
        if message is not None:
            message = CommittedMessage.of(message, result.finish_reason, result.metadata)
        await call_hook(agent.on_message_complete, claim.thread_id, message, result.usage)
        if not result.tool_requests and not result.is_paused:
            await call_hook(agent.on_turn_complete, claim.thread_id, message)

    async def _retry_or_fail(self, attempt: _Attempt, error: ModelError, rest: list[Chunk]) -> None:
        claim, agent, ended_at = attempt.claim, attempt.agent, self._clock.now()
        note_attempt(error, claim.attempt, agent.retry.max_attempts)
        failure, delay = error, None
        try:
            delay = await agent.retry.decide(claim.attempt, error)
        except ValidationError as invalid:  # from the application's `classify`
            failure = ModelError(str(invalid), kind=error.kind)
            failure.usage = error.usage
        if delay is None:
            await self._fail(
                claim, agent, failure, rest, self._requests.refused_files(attempt.request, error)
            )
            return
        words = clean_words(error)
        state: dict[str, Any] = {
            "attempt": claim.attempt + 1,
            "max_attempts": agent.retry.max_attempts,
            "next_at": self._clock.now() + delay,
            "error": words,
            "error_info": info_of(words),
            "kind": error.kind,
        }
        metered = self._admission.metered
        usage = usage_of_failure(agent, error)
        await self._writer.run(steps.retry, claim, rest, state, usage, metered=metered)
        crash_point("retry.commit.after")
        await self._admission.learn(agent, error)
        most = agent.retry.max_attempts
        self._journal.attempt_failed(claim, agent.model.name, error, delay, most, ended_at)
        if agent.on_retry is not None:
            self._hooks.soon(claim.thread_id, call_hook, agent.on_retry, claim.thread_id, state)

    async def _fail(
        self, claim: Claim, agent: AnyAgent, error: Exception, rest: list[Chunk], refused: Iterable[str] = ()
    ) -> None:
        """Fail the turn; `refused` are the files that the provider has presumably refused."""
        if isinstance(error, FenceLost):
            raise error
        kind = error.kind if isinstance(error, ModelError) else type(error).__name__
        words, ended_at = clean_words(error), self._clock.now()
        model = agent.model.name if isinstance(agent, Agent) else ""
        await self._writer.run(
            *(steps.fail, claim, words, kind, rest, usage_of_failure(agent, error)),
            refused=ModelFiles(model, refused),
            metered=self._admission.metered,
        )
        self._journal.turn_failed(claim, model, error, kind, ended_at)
        if isinstance(agent, Agent) and agent.on_error is not None:
            note_attempt(error, claim.attempt, agent.retry.max_attempts)
            self._hooks.soon(claim.thread_id, call_hook, agent.on_error, claim.thread_id, error)


def _is_temporary(error: Exception) -> bool:
    return isinstance(error, DatabaseError) and error.is_temporary
