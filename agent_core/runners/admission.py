"""Weigh model steps against limits and budgets before they ask their model; without any, do nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from agent_core.agent import Agent
from agent_core.context.token_meter import about, at_most
from agent_core.domain.limits import Estimate, Prompt
from agent_core.domain.model_adapter import ModelAdapter, Usage
from agent_core.errors import AgentCoreError, ModelError
from agent_core.runners.history import History
from agent_core.runners.request_builder import PreparedRequest
from agent_core.store.limits import admissions, changes, uncounted
from agent_core.store.store import Store
from agent_core.store.turns.claims import Claim
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_MAX_OUTPUT = 16_384  # tokens that an answer is estimated at if its options set no limit
_MANY = 1_000  # tokens of an answer whose price is asked for, to know that of one
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
        if (
            not self.metered and claim.pause is None
        ):  # a pause may tell of the first limit before the feed does
            return True
        weighed = claim, self._worker, agent.model.name, _estimate(agent, history)
        pause = await self._writer.run(admissions.admit, *weighed)
        if pause is not None:
            _log.info("Thread %s: step %d waits: %s", claim.thread_id, claim.seq, pause.words)
        return pause is None

    async def prepared(self, claim: Claim, agent: Agent, request: PreparedRequest) -> None:
        """Weigh an admitted request again that is not the history, because a context policy has made it shorter."""
        asked = request.request
        if not self.metered or (
            request.usage is None and len(asked.messages) >= len(request.history.messages)
        ):
            return
        prompt = _prompt(agent.model, about(asked.messages, asked.tools), request.usage)
        await self._writer.run(uncounted.weigh, claim.thread_id, claim.seq, prompt)

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
    """Return upper bounds of the tokens and the price of a step, and an estimate of its request."""
    model, tools = agent.model, agent.tool_schemas
    asked = history.most_tokens + at_most((), tools)
    options: dict[str, Any] = {**getattr(model, "options", {}), **agent.model_options}
    limits = (options.get(name) for name in _OUTPUT_LIMITS)
    answer = next((most for most in limits if isinstance(most, int) and most > 0), _MAX_OUTPUT)
    return _priced(model, asked, answer, _prompt(model, history.about_tokens + about((), tools)))


def _priced(model: ModelAdapter, asked: int, answer: int, prompt: Prompt = Prompt()) -> Estimate:  # noqa: B008
    return Estimate(asked + answer, _price(model, asked, answer), prompt)


def _prompt(model: ModelAdapter, tokens: int, before: Usage | None = None) -> Prompt:
    """Return the weight of a request; `before` was used by the context policy to make it."""
    usd, with_answer = _price(model, tokens, 0), _price(model, tokens, _MANY)
    if usd is None or with_answer is None:
        return Prompt(tokens + (0 if before is None else before.total_tokens))
    answer_usd = (with_answer - usd) / _MANY
    if before is None:
        return Prompt(tokens, usd, answer_usd)
    return Prompt(tokens + before.total_tokens, usd + (before.cost or 0.0), answer_usd)


def _price(model: ModelAdapter, asked: int, answer: int) -> float | None:
    price_of: Callable[[int, int], float | None] | None = getattr(model, "price_of", None)
    return None if price_of is None else price_of(asked, answer)
