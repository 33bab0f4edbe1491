"""The journal: what the log says of steps and tool calls, each line with the id of its thread.

INFO says what went on: a step, a retry, a takeover. WARNING says what somebody may want to look into:
once for each turn that failed, and for each tool that raised. A traceback comes with what an agent's own
code, a tool or an adapter raised; nothing says what people or models wrote.
"""

from __future__ import annotations

from agent_core.domain.model_adapter import Usage
from agent_core.errors import AgentCoreError, ModelError, ToolServerError, words_of
from agent_core.store.tool_calls.calls import ClaimedCall
from agent_core.store.turns.steps import Claim
from agent_core.support.logs import get_logger

_log = get_logger("agent_core.runners")
_KNOWN = frozenset({"network", "rate_limited", "provider_5xx", "truncated"})
"""Kinds of failures that a traceback says nothing more of."""


def step_taken_over(claim: Claim) -> None:
    """Say that an attempt was open when its worker went away, and is made again here."""
    _log.info(
        "Thread %s: step %d goes on in attempt %d; the worker %s, which ran it, is gone.",
        *(claim.thread_id, claim.seq, claim.attempt, claim.taken_from),
    )


def step_committed(claim: Claim, calls: int, usage: Usage | None) -> None:
    """Say that a step has been written down whole."""
    tokens = usage.total_tokens if usage is not None else 0
    then = f"{calls} tool calls follow" if calls else "the turn has its answer"
    _log.info(
        "Thread %s: step %d of the agent %s is committed after attempt %d, with %d tokens; %s.",
        *(claim.thread_id, claim.seq, claim.agent, claim.attempt, tokens, then),
    )


def attempt_failed(claim: Claim, error: ModelError, delay: float, most: int) -> None:
    """Say that a model request failed and is going to be made again."""
    _log.info(
        "Thread %s: step %d failed in attempt %d of %d and is tried again in %.1f s (%s): %s",
        *(claim.thread_id, claim.seq, claim.attempt, most, delay, error.kind, error),
        exc_info=None if error.kind in _KNOWN else error,
    )


def turn_failed(claim: Claim, error: Exception, kind: str) -> None:
    """Say that a turn has failed, and why."""
    ours = isinstance(error, AgentCoreError) and error.__cause__ is None
    _log.warning(
        "Thread %s: the turn failed at step %d, attempt %d (%s): %s",
        *(claim.thread_id, claim.seq, claim.attempt, kind, words_of(error)),
        exc_info=None if ours else error,
    )


def tool_taken_over(call: ClaimedCall, runs: bool) -> None:
    """Say that a tool was running when its worker went away, and what becomes of it."""
    then = f"it runs again, attempt {call.attempt}" if runs else "it is in doubt and does not run again"
    _log.info(
        "Thread %s: the worker of the tool %s (call %s) is gone; %s.",
        *(call.thread_id, call.name, call.id, then),
    )


def tool_failed(call: ClaimedCall, error: Exception, delay: float | None) -> None:
    """Say that a tool raised, or that its arguments or its result were refused."""
    then = "its outcome is the error" if delay is None else f"it runs again in {delay:.1f} s"
    ours = isinstance(error, AgentCoreError) and not isinstance(error, ToolServerError)
    say = _log.info if ours or delay is not None else _log.warning
    say(
        "Thread %s: the tool %s (call %s) failed in attempt %d; %s: %s",
        *(call.thread_id, call.name, call.id, call.attempt, then, words_of(error)),
        exc_info=None if isinstance(error, AgentCoreError) else error,
    )
