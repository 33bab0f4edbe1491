"""What a model request used, as it is written down beside its step."""

from __future__ import annotations

import math
from dataclasses import asdict

from agent_core.agent import Agent, AnyAgent
from agent_core.domain.model_adapter import Usage
from agent_core.errors import ModelError
from agent_core.store.database.columns import dump
from agent_core.streaming.model_step import StepResult


def used(agent: Agent, result: StepResult) -> str:
    """Return the model, why it finished, its tokens and their cost, as JSON."""
    return dump({"model": agent.model.name, "finish_reason": result.finish_reason, **numbers(result.usage)})


def used_in_vain(agent: AnyAgent, error: Exception) -> str | None:
    """Return the same of a request that failed; None if no model was asked."""
    if not isinstance(agent, Agent) or not isinstance(error, ModelError):
        return None
    return dump({"model": agent.model.name, "finish_reason": None, **numbers(error.usage)})


def numbers(usage: object) -> dict[str, float | None]:
    """Return an adapter's numbers by name; reports add up what stands there, and NaN is no JSON."""
    if not isinstance(usage, Usage):
        return {}
    return {name: value if _is_number(value) else None for name, value in asdict(usage).items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
