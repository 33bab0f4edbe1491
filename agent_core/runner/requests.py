"""The request of a model step: the history, cut to what fits the model, and as the agent transforms it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from agent_core.agent import Agent
from agent_core.context import ContextRequest, ContextResult
from agent_core.gate import clean_json
from agent_core.history import NOTE, repair, take_note
from agent_core.llm.base import ModelRequest, Usage
from agent_core.llm.wire import fit_names
from agent_core.messages import Chunk


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a model is asked.

    Attributes:
        request: what is sent.
        opening: what the step says of the cut, for the thread; nothing as long as it stays.
        usage: what the context policy's own requests used.
    """

    request: ModelRequest
    opening: list[Chunk]
    usage: Usage | None


async def prepare_request(agent: Agent, thread_id: str, history: list[dict[str, Any]]) -> Prepared:
    """Return the request for a thread's history, as `to_provider` gives it.

    Raises:
        ModelError: nothing that could be sent fits the model.
    """
    messages, note = take_note(history)
    fitted = ContextResult(messages)
    if agent.context is not None:
        fitted = await agent.context(
            ContextRequest(messages, agent.tool_schemas, agent.model, agent.model_options, note, thread_id)
        )
        if fitted.messages is not messages:
            messages = repair(fitted.messages)
    if agent.transform_messages is not None:
        changed = agent.transform_messages(list(messages))
        messages = repair(await changed if inspect.isawaitable(changed) else changed)
    messages = fit_names(messages, agent.tools)
    opening = [] if fitted.note is None else [{"type": NOTE, "data": clean_json(fitted.note)}]
    return Prepared(ModelRequest(messages, agent.tool_schemas, agent.model_options), opening, fitted.usage)
