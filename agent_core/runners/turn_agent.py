"""Fit an agent to what the caller of a turn asks for: its own tools, and the form of the answer."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from agent_core.agent import Agent
from agent_core.domain.model_adapter import ModelAdapter, ProviderMessage
from agent_core.domain.tool_name_match import find_tool
from agent_core.domain.turn_options import TurnOptions, is_client_call
from agent_core.errors import ModelError
from agent_core.runners.history import History
from agent_core.sentences import sentence
from agent_core.streaming.model_step import StepResult
from agent_core.tools.answer_format import AnswerFormat
from agent_core.tools.client_tools import client_tool

_CUT = ("length", "content-filter", "model-context-window-exceeded")
"""Finish reasons of incomplete answers; these are reported as such."""


async def for_turn(agent: Agent, options: TurnOptions | None, history: History) -> Agent:
    """Return the agent as it answers the next step of a turn."""
    if not options:
        return agent
    fitted = copy.copy(agent)
    if options.tools:
        own = {tool.name: tool for tool in map(client_tool, options.tools)}
        fitted.tools = {**agent.tools, **own}
        fitted.tool_schemas = [tool.schema() for tool in fitted.tools.values()]
        fitted.model_options = {**agent.model_options, **_call_options(options, history.messages)}
    if options.answer_format is not None:
        await _ask_for_format(fitted, AnswerFormat(options.answer_format))
    return fitted


def _call_options(options: TurnOptions, messages: Sequence[ProviderMessage]) -> dict[str, Any]:
    given: dict[str, Any] = {} if options.parallel_tool_calls else {"parallel_tool_calls": False}
    if options.tool_choice == "auto" or not _is_callers_turn(messages):
        return given
    named = {"type": "function", "function": {"name": options.tool_choice}}
    return {**given, "tool_choice": "required" if options.tool_choice == "required" else named}


def _is_callers_turn(messages: Sequence[ProviderMessage]) -> bool:
    """Whether the newest messages are the caller's, and not only outcomes of the agent's tools."""
    for message in reversed(messages):
        if message.get("role") != "tool":
            return message is messages[-1]
        if is_client_call(message.get("tool_call_id")):
            return True
    return True


async def _ask_for_format(agent: Agent, form: AnswerFormat) -> None:
    """Let an agent ask for a form: by an option if the model takes it, and in words if not.

    OpenAI wants the word JSON in the messages of a request for any JSON object.
    """
    is_option = await _takes_format(agent, form.given)
    if is_option:
        agent.model_options = {**agent.model_options, "response_format": copy.deepcopy(form.given)}
    if not is_option or form.given["type"] == "json_object":
        told = functools.partial(_told, form.instruction, agent.transform_messages)
        agent.transform_messages = told


async def _takes_format(agent: Agent, form: dict[str, Any]) -> bool:
    takes: Any = getattr(agent.model, "takes_format", None)
    has_tools = bool(agent.tools or agent.provider_tools)
    return takes is not None and await takes(form, agent.model_options, has_tools=has_tools)


async def _told(
    instruction: str, transform: Callable[..., Any] | None, messages: list[ProviderMessage]
) -> list[ProviderMessage]:
    """Return messages with an instruction at the end of the first system message."""
    if transform is not None:
        made = transform(messages)
        messages = await made if inspect.isawaitable(made) else made
    first = messages[0] if messages else {}
    if first.get("role") == "system" and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{instruction}"}, *messages[1:]]
    return [{"role": "system", "content": instruction}, *messages]


def is_client_tool(agent: Agent, written: str) -> bool:
    """Whether a name that a model has written is that of a tool of the caller."""
    name = find_tool(written, agent.tools)
    return name is not None and agent.tools[name].kind == "client"


def check_answer(options: TurnOptions | None, result: StepResult, model: ModelAdapter) -> None:
    """Check that the last step of a turn has an answer of the form that was asked for.

    Raises:
        ModelError: it has not; retryable.
    """
    if options is None or options.answer_format is None or result.tool_requests or result.is_paused:
        return
    if result.finish_reason in _CUT:
        return
    text = "\n\n".join(part["text"] for part in result.parts if part["type"] == "text" and part["text"])
    problem = AnswerFormat(options.answer_format).problem(text)
    if problem is not None:
        error = ModelError(
            sentence("answer_not_in_form", model=model.name, problem=problem), kind="unknown", retryable=True
        )
        error.usage = result.usage
        raise error
