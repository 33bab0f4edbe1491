"""Convert the result of a model step to the form in which it is stored: parts, tool calls, usage."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict

from agent_core.agent import Agent, AnyAgent
from agent_core.context.provider_messages import INVALID_ARGUMENTS
from agent_core.domain.messages import Part
from agent_core.domain.model_adapter import Usage
from agent_core.domain.states import CallStatus
from agent_core.domain.tool_name_match import find_tool
from agent_core.errors import ModelError, ValidationError, words_of
from agent_core.sentences import sentence
from agent_core.store.database.sql import dump, load
from agent_core.store.tool_calls.calls import NewCall
from agent_core.streaming.model_step import StepResult, ToolRequest
from agent_core.support.plain_json import is_finite
from agent_core.tools import parse_arguments
from agent_core.tools.provider_tools import is_hosted


def stored_parts(result: StepResult) -> list[Part]:
    """Return the parts of a step as they are stored.

    A tool part is a reference: its input and outcome are in the tool call's row. It keeps the name that the
    model wrote, for people to see; the row has the name of the tool.
    """
    return [
        {key: value for key, value in part.items() if key != "input"}
        if "toolCallId" in part and not is_hosted(part)
        else part
        for part in result.parts
    ]


def new_calls(agent: Agent, result: StepResult) -> list[NewCall]:
    """Return the tool calls to create: to run, to be approved, or failed."""
    return [_new_call(agent, request) for request in result.tool_requests]


def _new_call(agent: Agent, request: ToolRequest) -> NewCall:
    name = find_tool(request.name, agent.tools)
    if name is None:
        known = ", ".join(agent.tools) or "none"
        error = sentence("tool_not_found", tool=request.name, tools=known)
        return NewCall(request.id, request.name, _as_json(request.arguments), CallStatus.FAILED, error)
    tool = agent.tools[name]
    if tool.kind == "client":
        return NewCall(request.id, name, _for_client(request.arguments), CallStatus.WAITING)
    try:
        arguments = parse_arguments(tool, request.arguments)
    except ValidationError as error:
        text = _as_json(request.arguments)
        return NewCall(request.id, name, text, CallStatus.FAILED, words_of(error))
    status = CallStatus.APPROVAL if tool.needs_approval else CallStatus.PENDING
    return NewCall(request.id, name, dump(arguments), status)


def _for_client(arguments: str) -> str:
    """Return arguments as the model wrote them, as an object: the caller checks them."""
    text = _as_json(arguments)
    return text if isinstance(value := load(text), dict) else dump({INVALID_ARGUMENTS: value})


def _as_json(arguments: str) -> str:
    """Return arguments as JSON although no tool accepts them, so that people can see them."""
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(arguments)
        return arguments
    return dump(arguments)


def usage_of(agent: Agent, result: StepResult) -> str:
    """Return the model, finish reason, tokens and cost of a step, as JSON."""
    numbers = usage_numbers(result.usage)
    return dump({"model": agent.model.name, "finish_reason": result.finish_reason, **numbers})


def usage_of_failure(agent: AnyAgent, error: Exception) -> str | None:
    """Return the model, tokens and cost of a request that failed, as JSON; None if there was no request."""
    if not isinstance(agent, Agent) or not isinstance(error, ModelError):
        return None
    return dump({"model": agent.model.name, "finish_reason": None, **usage_numbers(error.usage)})


def usage_numbers(usage: object) -> dict[str, float | None]:
    """Return an adapter's numbers by name; None in place of NaN and infinity, which JSON does not have."""
    if not isinstance(usage, Usage):
        return {}
    return {name: value if _is_number(value) else None for name, value in asdict(usage).items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and is_finite(value)
