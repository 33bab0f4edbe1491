"""The tool calls that a model asked for, as its step makes them: to run, to be approved, or failed."""

from __future__ import annotations

import contextlib
import json

from agent_core.agent import Agent
from agent_core.domain.messages import Part
from agent_core.domain.states import CallStatus
from agent_core.domain.tool_name_match import find_tool
from agent_core.errors import ValidationError, words_of
from agent_core.sentences import sentence
from agent_core.store.database.columns import dump
from agent_core.store.tool_calls.calls import NewCall
from agent_core.streaming.model_step import StepResult, ToolRequest
from agent_core.tools import parse_arguments
from agent_core.tools.provider_tools import is_hosted


def planned(agent: Agent, result: StepResult) -> tuple[list[Part], list[NewCall]]:
    """Return the parts as they are stored and the calls to create.

    A tool part is stored as a reference: its input and outcome stand in the call's own row. It keeps the
    name that the model wrote, for people to see; the call has the name of the tool.
    """
    calls = [_new_call(agent, request) for request in result.tool_requests]
    parts = [
        {key: value for key, value in part.items() if key != "input"}
        if "toolCallId" in part and not is_hosted(part)
        else part
        for part in result.parts
    ]
    return parts, calls


def _new_call(agent: Agent, request: ToolRequest) -> NewCall:
    name = find_tool(request.name, agent.tools)
    if name is None:
        known = ", ".join(agent.tools) or "none"
        error = sentence("tool_not_found", tool=request.name, tools=known)
        return NewCall(request.id, request.name, _as_json(request.arguments), CallStatus.FAILED, error)
    tool = agent.tools[name]
    try:
        arguments = parse_arguments(tool, request.arguments)
    except ValidationError as error:
        text = _as_json(request.arguments)
        return NewCall(request.id, name, text, CallStatus.FAILED, words_of(error))
    status = CallStatus.APPROVAL if tool.needs_approval else CallStatus.PENDING
    return NewCall(request.id, name, dump(arguments), status)


def _as_json(arguments: str) -> str:
    """Return arguments that no tool can take as JSON all the same, so that a person can see them."""
    with contextlib.suppress(ValueError, RecursionError):
        json.loads(arguments)
        return arguments
    return dump(arguments)
