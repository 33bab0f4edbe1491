"""Weigh model steps against limits and budgets before they ask their model; without any, do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agent_core.agent import Agent
from agent_core.context.token_meter import at_most
from agent_core.domain.limits import Estimate
from agent_core.domain.model_adapter import ModelAdapter
from agent_core.errors import AgentCoreError, ModelError
from agent_core.runners.history import History
from agent_core.store.limits import admissions, changes
from agent_core.store.store import Store
from agent_core.store.turns.claims import Claim
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_MAX_OUTPUT = 16_384  # tokens that an answer is estimated at if its options set no limit
_TITLE_TOKENS = 2_000  # that a request for a title is estimated at
_OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens")


class StepAdmission:
    """Admits the model steps of this process."""

    def __init__(self, store: Store) -> None:
        self._writer = store.writer
        self._reads = store.reads
        self._hooks = store.hooks
        self._clock = store.clock
        self._worker = store.process
        self._limits = store.limits

    @property
    def metered(self) -> bool:
        """Whether there are limits or budgets, so that usage is counted."""
        return self._limits.active

    async def admit(self, claim: Claim, agent: Agent, history: History) -> bool:
        """Return whether a step may ask its model now; if not, its thread is paused.

        Raises:
            FenceLost: the step has another owner.
        """
        if not self.metered:
            return True
        weighed = claim, self._worker, agent.model.name, _estimate(agent, history)
        pause = await self._writer.run(admissions.admit, *weighed)
        if pause is not None:
            _log.info("Thread %s: step %d waits: %s", claim.thread_id, claim.seq, pause.words)
        return pause is None

    async def admit_title(self, claim: Claim, model: ModelAdapter) -> bool:
        """Return whether a model may be asked for the title of a thread now."""
        if not self.metered:
            return True
        estimate = _priced(model, _TITLE_TOKENS, 0)
        return await self._writer.run(admissions.admit_title, claim, model.name, estimate)

    def ended(self, claim: Claim, agent: Agent) -> None:
        """Let steps that wait for running steps go on, in the background."""
        if self.metered:
            self._hooks.soon("limits", self._make_room, claim, agent.model.name)

    async def learn(self, agent: Agent, error: ModelError) -> None:
        """Let all workers wait as long as a provider has asked for with a 429."""
        if self.metered and error.kind == "rate_limited" and error.retry_after:
            until = self._clock.now() + error.retry_after
            await self._writer.run(changes.block, agent.model.name, until)

    async def _make_room(self, claim: Claim, model: str) -> None:
        subject = admissions.subject_of(claim, model)
        try:
            waiting = await asyncio.to_thread(self._reads.read, changes.waits_for_room, subject)
            if waiting:
                await self._writer.run(changes.wake, waiting)
        except AgentCoreError as error:  # they look again by themselves
            _log.info("Threads that wait for the end of step %d are not woken: %s", claim.seq, error)


def _estimate(agent: Agent, history: History) -> Estimate:
    """Return upper bounds of the tokens and the price of a step."""
    asked = history.most_tokens + at_most((), agent.tool_schemas)
    options: dict[str, Any] = {**getattr(agent.model, "options", {}), **agent.model_options}
    limits = (options.get(name) for name in _OUTPUT_LIMITS)
    answer = next((most for most in limits if isinstance(most, int) and most > 0), _MAX_OUTPUT)
    return _priced(agent.model, asked, answer)


def _priced(model: ModelAdapter, asked: int, answer: int) -> Estimate:
    price_of: Callable[[int, int], float | None] | None = getattr(model, "price_of", None)
    return Estimate(asked + answer, None if price_of is None else price_of(asked, answer))
