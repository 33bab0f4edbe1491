"""The runner: claims a model step, drives the loop, writes what it yields, commits it whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from agent_core.agent import Agent, AnyAgent
from agent_core.context.provider_messages import to_provider
from agent_core.domain.messages import Chunk, CommittedMessage
from agent_core.domain.validation import clean_words
from agent_core.domain.wake_up_key import WakeUpKey
from agent_core.errors import (
    AgentCoreError,
    ModelError,
    PoisonedStepError,
    StepLimitError,
    ValidationError,
    as_exception,
    note_attempt,
)
from agent_core.hooks import call_hook
from agent_core.runners import journal
from agent_core.runners.flusher import Flusher
from agent_core.runners.metering import used, used_in_vain
from agent_core.runners.planned_calls import planned
from agent_core.runners.postpone import postpone
from agent_core.runners.requests.request import Prepared, Requests
from agent_core.runners.requests.response_files import MadeFiles
from agent_core.runners.requests.turn_cache import Turn, Turns
from agent_core.runners.requests.turn_history import Past, provider_step
from agent_core.runners.shielded_commit import whole
from agent_core.runners.title_runner import Titles
from agent_core.sentences import info_of, sentence
from agent_core.store.store import Store
from agent_core.store.tool_calls.calls import FenceLost, NewCall, UnknownAgent
from agent_core.store.turns import steps
from agent_core.store.turns.steps import Claim
from agent_core.streaming.model_step import StepResult, model_step
from agent_core.support.execution_record import in_thread
from agent_core.support.faults import crash_point
from agent_core.support.logs import get_logger

_log = get_logger(__name__)


@dataclass(slots=True)
class _Attempt:
    """One attempt at one model step: what it is asked with, and where its chunks go."""

    claim: Claim
    agent: Agent
    asked: Prepared
    taken: set[str]
    flusher: Flusher
    made: MadeFiles

    def turn(self, result: StepResult, new_calls: list[NewCall]) -> Turn:
        """Return what the next step of this turn needs to know."""
        open_ids = {call.id for call in new_calls if call.error is None}
        failed = {call.id: call.error for call in new_calls if call.error is not None}
        parts = [
            part | {"state": "output-error", "errorText": failed[part["toolCallId"]]}
            if part.get("toolCallId") in failed
            else part
            for part in result.parts
        ]
        taken = self.taken | {part["toolCallId"] for part in result.parts if "toolCallId" in part}
        return Turn(self.claim.seq, self.asked.history, taken, parts, open_ids)

    def past(self, result: StepResult, cursor: int) -> Past:
        """Return what the next turn needs to know, when this step ended one with the delta `cursor`."""
        messages = self.asked.history + provider_step(result.parts)
        return Past(self.claim.seq, cursor, self.agent.system, messages, self.taken)


class Runner:
    """Runs model steps.

    Args:
        store: the store, open.
        turns: the turns that run in this process.
    """

    def __init__(self, store: Store, turns: Turns) -> None:
        self._turns = turns
        self._hooks = store.hooks
        self._titles = Titles(store.writer, store.reads, store.hooks)
        self._requests = Requests(store.writer, store.reads, store.clock)
        self._writer = store.writer
        self._reads = store.reads
        self._agents: Mapping[str, AnyAgent] = store.agents
        self._worker = store.process
        self._settings = store.settings
        self._clock = store.clock
        self.closing = False
        self.live: dict[str, Claim] = {}
        """The steps that run now, by thread; their fences are watched for stops from elsewhere."""
        self._flushers: dict[str, Flusher] = {}

    async def step(self, key: WakeUpKey) -> None:
        """Run the next model step of a thread, if there is one and it is ours."""
        thread_id = key.thread_id
        try:
            claim = await self._writer.run_for(thread_id, steps.claim, thread_id, self._worker, self._agents)
        except UnknownAgent as agent:
            await postpone(self._writer, self._clock, str(agent), key)
            return
        if claim is None:
            return
        crash_point("claim.after")
        if claim.taken_from is not None:
            journal.step_taken_over(claim)
        self.live[thread_id] = claim
        try:
            await self._run(claim)
        except FenceLost:
            _log.info("Thread %s: step %d belongs to somebody else now.", thread_id, claim.seq)
        finally:
            if self.live.get(thread_id) is claim:
                del self.live[thread_id]

    async def write_down(self, thread_id: str) -> None:
        """Flush what a step that runs here has said so far; who stops it keeps all of it then."""
        if (flusher := self._flushers.get(thread_id)) is not None:
            await flusher.now()

    async def _run(self, claim: Claim) -> None:
        known = self._agents[claim.agent]
        try:
            attempt = await self._prepare(claim, await known.resolve(claim.user_id, claim.thread_id))
        except BaseException as error:
            await self._unprepared(claim, known, error)
        else:
            await self._drive(attempt)

    async def _unprepared(self, claim: Claim, agent: AnyAgent, error: BaseException) -> None:
        try:
            failure = as_exception(error, f"The agent {claim.agent!r}")
        except asyncio.CancelledError:
            await self._give_back(claim, [])
            raise
        await self._fail(claim, agent, failure, [])

    async def _prepare(self, claim: Claim, agent: Agent) -> _Attempt:
        if claim.crashes >= self._settings.max_crashes:
            raise PoisonedStepError(sentence("step_poisoned", count=claim.crashes))
        if claim.steps >= agent.max_steps:
            raise StepLimitError(sentence("step_limit_reached", count=claim.steps, agent=agent.name))
        with in_thread():  # in which the rows are read
            messages, taken = await self._history(claim, agent)
        task = asyncio.current_task()
        assert task is not None, "a step runs as a task of its workpool"
        throttle = agent.streaming.throttle_ms / 1000 if agent.streaming.enabled else None
        flusher = Flusher(self._writer, claim, throttle, task.cancel)
        asked = await self._requests.prepare(agent, claim.thread_id, messages)
        return _Attempt(claim, agent, asked, taken, flusher, MadeFiles(self._writer, claim))

    async def _history(self, claim: Claim, agent: Agent) -> tuple[list[dict[str, Any]], set[str]]:
        """Return the provider's messages and the ids of every tool call so far."""
        if (known := self._turns.resume(claim.thread_id, claim.seq)) is not None:
            return known
        past = self._turns.past(claim.thread_id, claim.seq, agent.system)
        if past is not None:
            updates = await asyncio.to_thread(self._reads.updates, claim.thread_id, past.cursor)
            if (known := past.followed_by(updates)) is not None:
                return known
        history, taken = await asyncio.to_thread(self._reads.history, claim.thread_id)
        taken |= {part["toolCallId"] for message in history for part in message.parts if "toolCallId" in part}
        return to_provider(history, agent.system), taken

    async def _drive(self, attempt: _Attempt) -> None:
        claim, agent, flusher = attempt.claim, attempt.agent, attempt.flusher
        self._flushers[claim.thread_id] = flusher
        try:
            while (again := await self._ask(attempt)) is not None:
                attempt = again
        except asyncio.CancelledError:
            await self._give_back(claim, await flusher.rest())
            raise
        except ModelError as error:
            await whole(self._retry_or_fail(attempt, error, await flusher.rest()))
        except FenceLost:
            raise
        except Exception as error:
            # Not the model's fault: the commit was refused, or there is a mistake in this library.
            # Asking the model again would not mend it. If the database cannot even take this, the
            # step stays as it is and the reconciler comes back to it.
            await whole(self._fail(claim, agent, error, await flusher.rest()))
        finally:
            if self._flushers.get(claim.thread_id) is flusher:
                del self._flushers[claim.thread_id]

    async def _ask(self, attempt: _Attempt) -> _Attempt | None:
        """Ask the model and commit its answer; return the attempt to make in place of a refused one."""
        began = False
        chunks = model_step(
            attempt.agent.model,
            attempt.asked.request,
            taken_ids=attempt.taken,
            include_tool_input_deltas=attempt.agent.streaming.include_tool_input_deltas,
            opening=attempt.asked.opening,
        )
        try:
            async with contextlib.aclosing(chunks):
                async for event in chunks:
                    if isinstance(event, StepResult):
                        event = replace(event, parts=attempt.made.named(event.parts))
                        await whole(self._commit(attempt, event))
                    else:
                        began = True
                        attempt.flusher.add(await attempt.made.keep(event))
        except ModelError as error:
            asked = None if began else await self._asked_again(attempt, error)
            if asked is None:
                raise
            return replace(attempt, asked=asked)
        return None

    async def _asked_again(self, attempt: _Attempt, error: ModelError) -> Prepared | None:
        agent, thread_id = attempt.agent, attempt.claim.thread_id
        return await self._requests.again(agent, thread_id, attempt.asked, error)

    async def _give_back(self, claim: Claim, rest: list[Chunk]) -> None:
        """A worker that ends gives its step back; a step that was stopped is not ours to write."""
        if self.closing:
            with contextlib.suppress(FenceLost, AgentCoreError):
                await self._writer.run(steps.release, claim, rest, self._clock.now())

    async def _commit(self, attempt: _Attempt, result: StepResult) -> None:
        claim, agent = attempt.claim, attempt.agent
        if (more := attempt.asked.usage) is not None:
            result = replace(result, usage=more if result.usage is None else result.usage + more)
        rest = await attempt.flusher.rest()
        parts, new_calls = planned(agent, result)
        goes_on = bool(new_calls) or result.is_paused
        if goes_on:
            # Before the commit: its tools may end before this coroutine hears of it.
            self._turns.keep(claim.thread_id, attempt.turn(result, new_calls))
        crash_point("commit.before")
        cursor = await self._writer.run_for(
            claim.thread_id,
            steps.commit,
            claim,
            parts=parts,
            chunks=rest,
            new_calls=new_calls,
            usage=used(agent, result),
            first=attempt.flusher.first,
            taken=(agent.model.name, attempt.asked.files.retried),
            unsigned=agent.model.name if attempt.asked.was_unsigned else None,
            paused=result.is_paused,
        )
        crash_point("commit.after")
        journal.step_committed(claim, len(new_calls), result.usage)
        if not goes_on:
            self._turns.keep(claim.thread_id, attempt.past(result, cursor))
            self._titles.soon(claim, agent, attempt.asked.history)
        if agent.on_message_complete is not None or (agent.on_turn_complete is not None and not goes_on):
            self._hooks.soon(claim.thread_id, self._tell_complete, claim, agent, result)

    async def _tell_complete(self, claim: Claim, agent: Agent, result: StepResult) -> None:
        message = await asyncio.to_thread(self._reads.message, claim.thread_id, claim.message_id)
        if message is not None:
            message = CommittedMessage.of(message, result.finish_reason, result.metadata)
        await call_hook(agent.on_message_complete, claim.thread_id, message, result.usage)
        if not result.tool_requests and not result.is_paused:
            await call_hook(agent.on_turn_complete, claim.thread_id, message)

    async def _retry_or_fail(self, attempt: _Attempt, error: ModelError, rest: list[Chunk]) -> None:
        claim, agent = attempt.claim, attempt.agent
        note_attempt(error, claim.attempt, agent.retry.max_attempts)
        failure, delay = error, None
        try:
            delay = await agent.retry.decide(claim.attempt, error)
        except ValidationError as nonsense:  # of the application's `classify`
            failure = ModelError(str(nonsense), kind=error.kind)
            failure.usage = error.usage
        if delay is None:
            await self._fail(claim, agent, failure, rest, self._requests.refused(attempt.asked, error))
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
        await self._writer.run(steps.retry, claim, rest, state, used_in_vain(agent, error))
        crash_point("retry.commit.after")
        journal.attempt_failed(claim, error, delay, agent.retry.max_attempts)
        if agent.on_retry is not None:
            self._hooks.soon(claim.thread_id, call_hook, agent.on_retry, claim.thread_id, state)

    async def _fail(
        self,
        claim: Claim,
        agent: AnyAgent,
        error: Exception,
        rest: list[Chunk],
        refused: Iterable[str] = (),
    ) -> None:
        """End the turn; `refused` are files that the provider is taken to have refused."""
        if isinstance(error, FenceLost):
            raise error
        kind = error.kind if isinstance(error, ModelError) else type(error).__name__
        words = clean_words(error)
        model = agent.model.name if isinstance(agent, Agent) else ""
        await self._writer.run(
            *(steps.fail, claim, words, kind, rest, used_in_vain(agent, error)),
            refused=(model, refused),
        )
        journal.turn_failed(claim, error, kind)
        if isinstance(agent, Agent) and agent.on_error is not None:
            note_attempt(error, claim.attempt, agent.retry.max_attempts)
            self._hooks.soon(claim.thread_id, call_hook, agent.on_error, claim.thread_id, error)
