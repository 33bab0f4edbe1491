"""Log and publish steps and tool calls; each line of the log has the id of its thread.

INFO is for progress: a commit, a retry, a takeover. WARNING is for what an operator may want to look into:
one line for each turn that failed, and for each tool that raised. Errors of agents' own code, of tools and
of adapters are logged with a traceback; what people and models wrote is not logged, and published only as the
`content` of an event.
"""

from __future__ import annotations

from agent_core.domain.events.run_events import (
    RunEvent,
    StepContent,
    StepEnded,
    StepOutcome,
    TitleEnded,
    ToolContent,
    ToolEnded,
    ToolOutcome,
)
from agent_core.domain.model_adapter import ModelRequest, Usage
from agent_core.errors import AgentCoreError, ModelError, PoisonedStepError, ToolServerError, words_of
from agent_core.store.tool_calls.calls import ClaimedCall
from agent_core.store.turns.claims import Claim
from agent_core.streaming.model_step import StepResult
from agent_core.support.clock import Clock
from agent_core.support.logs import get_logger
from agent_core.support.observers import Observers

_log = get_logger("agent_core.runners")
_KNOWN = frozenset({"network", "rate_limited", "provider_5xx", "truncated"})
"""Kinds of failures to which a traceback adds nothing."""


class Journal:
    """The journal of one process.

    Args:
        observers: get an event for each attempt that has ended.
        clock: the time of the end.
    """

    def __init__(self, observers: Observers[RunEvent], clock: Clock) -> None:
        self._observers = observers
        self._clock = clock

    def step_taken_over(self, claim: Claim) -> None:
        """Log that a step continues here in a new attempt, because the worker of the last one is gone."""
        _log.info(
            "Thread %s: step %d continues in attempt %d; its worker %s is gone.",
            *(claim.thread_id, claim.seq, claim.attempt, claim.taken_from),
        )

    def step_committed(
        self,
        claim: Claim,
        model: str,
        calls: int,
        result: StepResult,
        request: ModelRequest,
        ended_at: float,
    ) -> None:
        """Log that a step is committed, whose answer was complete at `ended_at`."""
        tokens = result.usage.total_tokens if result.usage is not None else 0
        then = f"{calls} tool calls follow" if calls else "the turn has its answer"
        _log.info(
            "Thread %s: step %d of the agent %s is committed after attempt %d, with %d tokens; %s.",
            *(claim.thread_id, claim.seq, claim.agent, claim.attempt, tokens, then),
        )
        self._step_ended(claim, model, "committed", result.usage, ended_at, result=result, request=request)

    def attempt_failed(
        self, claim: Claim, model: str, error: ModelError, delay: float, most: int, ended_at: float
    ) -> None:
        """Log that a model request failed and when it is retried."""
        _log.info(
            "Thread %s: step %d failed in attempt %d of %d; retry in %.1f s (%s): %s",
            *(claim.thread_id, claim.seq, claim.attempt, most, delay, error.kind, error),
            exc_info=None if error.kind in _KNOWN else error,
        )
        words = words_of(error)
        self._step_ended(claim, model, "retried", error.usage, ended_at, error=error.kind, words=words)

    def turn_failed(self, claim: Claim, model: str, error: Exception, kind: str, ended_at: float) -> None:
        """Log that a turn has failed, and why."""
        ours = isinstance(error, AgentCoreError) and error.__cause__ is None
        _log.warning(
            "Thread %s: the turn failed at step %d, attempt %d (%s): %s",
            *(claim.thread_id, claim.seq, claim.attempt, kind, words_of(error)),
            exc_info=None if ours else error,
        )
        outcome: StepOutcome = "sealed" if isinstance(error, PoisonedStepError) else "failed"
        usage, words = getattr(error, "usage", None), words_of(error)
        self._step_ended(claim, model, outcome, usage, ended_at, error=kind, words=words)

    def step_cancelled(self, claim: Claim, model: str) -> None:
        """Publish that a step was stopped or released."""
        self._step_ended(claim, model, "cancelled", None, self._clock.now())

    @property
    def now(self) -> float:
        """The time, in seconds since the epoch."""
        return self._clock.now()

    def title_ended(
        self, claim: Claim, model: str, started_at: float, usage: object, error: Exception | None
    ) -> None:
        """Publish that a request for a title has ended."""
        if self._observers:
            self._observers.publish(
                TitleEnded(
                    *(claim.thread_id, claim.message_id, claim.seq, claim.agent, model, started_at, self.now),
                    usage=usage if isinstance(usage, Usage) else None,
                    error=None if error is None else getattr(error, "kind", type(error).__name__),
                    words=None if error is None else words_of(error),
                    turn=claim.turn,
                )
            )

    def tool_taken_over(self, call: ClaimedCall, runs: bool) -> None:
        """Log that the worker of a running tool is gone, and whether the tool runs again."""
        then = f"it runs again, attempt {call.attempt}" if runs else "it is in doubt and does not run again"
        _log.info(
            "Thread %s: the worker of the tool %s (call %s) is gone; %s.",
            *(call.thread_id, call.name, call.id, then),
        )
        if not runs:
            self.tool_ended(call, "in_doubt")

    def tool_failed(self, call: ClaimedCall, error: Exception, delay: float | None) -> None:
        """Log that a tool raised, or that its arguments or its result were refused."""
        then = "its outcome is the error" if delay is None else f"it runs again in {delay:.1f} s"
        ours = isinstance(error, AgentCoreError) and not isinstance(error, ToolServerError)
        say = _log.info if ours or delay is not None else _log.warning
        say(
            "Thread %s: the tool %s (call %s) failed in attempt %d; %s: %s",
            *(call.thread_id, call.name, call.id, call.attempt, then, words_of(error)),
            exc_info=None if isinstance(error, AgentCoreError) else error,
        )
        outcome = "failed" if delay is None else "retried"
        self.tool_ended(call, outcome, type(error).__name__, words=words_of(error))

    def tool_ended(
        self,
        call: ClaimedCall,
        outcome: ToolOutcome,
        error: str | None = None,
        *,
        words: str | None = None,
        result: str | None = None,
    ) -> None:
        """Publish that an attempt at a tool call has ended; `result` is JSON."""
        if not self._observers:
            return
        self._observers.publish(
            ToolEnded(
                *(call.thread_id, call.message_id, call.id, call.name, call.agent, call.attempt),
                started_at=call.claimed_at,
                ended_at=self._clock.now(),
                outcome=outcome,
                error=error,
                recovered=call.in_doubt,
                words=words,
                turn=call.turn,
                content=ToolContent(call.input, result),
            )
        )

    def _step_ended(
        self,
        claim: Claim,
        model: str,
        outcome: StepOutcome,
        usage: object,
        ended_at: float,
        *,
        error: str | None = None,
        words: str | None = None,
        result: StepResult | None = None,
        request: ModelRequest | None = None,
    ) -> None:
        if not self._observers:
            return
        content = StepContent(request.messages, result.parts) if result and request else None
        self._observers.publish(
            StepEnded(
                *(claim.thread_id, claim.message_id, claim.seq, claim.agent, model, claim.attempt),
                started_at=claim.claimed_at,
                ended_at=ended_at,
                outcome=outcome,
                usage=usage if isinstance(usage, Usage) else None,
                finish_reason=result.finish_reason if result else None,
                error=error,
                recovered=claim.taken_from is not None,
                words=words,
                metadata=result.metadata if result else {},
                turn=claim.turn,
                content=content,
            )
        )
