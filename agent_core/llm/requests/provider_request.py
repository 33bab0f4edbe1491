"""Convert a request to the form of its provider: messages, tools and options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from agent_core.domain.model_adapter import ModelEvent, ModelRequest, ProviderMessage, ToolCallDelta
from agent_core.llm.requests.history_rules import fit_history, sent_name
from agent_core.llm.requests.json_schemas import SchemaError
from agent_core.llm.requests.provider_rules import Rules
from agent_core.llm.requests.tool_schemas import sent_schema
from agent_core.support.logs import get_logger
from agent_core.support.plain_json import fields_of, items_of

_log = get_logger(__name__)

_THINKING = ("thinking", "reasoning_effort")
_warned: set[tuple[str, str]] = set()


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request in the form of its provider.

    `tools` are those that can be sent, `options` changes to the request's options, and `names` the agent's names of
    renamed tools, by sent name.
    """

    messages: list[ProviderMessage]
    tools: list[ProviderMessage]
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    names: Mapping[str, str] = field(default_factory=dict[str, str])

    def named(self, event: ModelEvent) -> ModelEvent:
        """Return an event of the answer with the agent's name of its tool."""
        if not self.names or not isinstance(event, ToolCallDelta) or event.name is None:
            return event
        return replace(event, name=self.names.get(event.name, event.name))


def to_provider_request(
    request: ModelRequest,
    rules: Rules,
    *,
    model: str = "",
    has_vision: bool | None = None,
    choice: Any = None,
) -> ProviderRequest:
    """Return a request in the form of a provider with these rules.

    `model` is its name for the log, `has_vision` whether it supports pictures (None: unknown), and `choice` the option
    `tool_choice`, which may name a tool.
    """
    tools, refused = _fitted_tools(request.tools, rules)
    for name, reason in refused.items():
        if (model, name) not in _warned:
            _warned.add((model, name))
            _log.warning("The tool %s is not offered to %s: %s", name, model or "the model", reason)
    names = {tool_name: sent_name(tool_name, rules) for tool in tools if (tool_name := _name(tool))}
    messages = fit_history(request.messages, names, rules, has_vision=has_vision)
    options: dict[str, Any] = {}
    if rules.signed_turns and _is_foreign_turn(messages):
        options = dict.fromkeys(_THINKING)
    changed = {sent: name for name, sent in names.items() if sent != name}
    if not changed:
        return ProviderRequest(messages, tools, options)
    renamed = [_renamed(tool, names) for tool in tools]
    if isinstance(choice, Mapping):
        options["tool_choice"] = _renamed(cast(ProviderMessage, choice), names)
    return ProviderRequest(messages, renamed, options, changed)


def _is_foreign_turn(messages: Sequence[ProviderMessage]) -> bool:
    """Return whether the current turn has a step with calls but without reasoning of its own model."""
    for message in reversed(messages):
        if message.get("role") == "user":
            return False
        if message.get("tool_calls") and not message.get("thinking_blocks") and not _has_thoughts(message):
            return True
    return False


def _has_thoughts(message: ProviderMessage) -> bool:
    kinds = [fields_of(block).get("type") for block in items_of(message.get("content"))]
    return "thinking" in kinds or "redacted_thinking" in kinds


def refused_tools(tools: Sequence[ProviderMessage], rules: Rules) -> dict[str, str]:
    """Return why tools cannot be sent to a provider with these rules, by their names."""
    return _fitted_tools(tools, rules)[1]


def _fitted_tools(
    tools: Sequence[ProviderMessage], rules: Rules
) -> tuple[list[ProviderMessage], dict[str, str]]:
    """Return the tools with schemas that the provider accepts, and why the others cannot be sent, by name."""
    fitted: list[ProviderMessage] = []
    refused: dict[str, str] = {}
    for tool in tools:
        function = _function(tool)
        try:
            if schema := function.get("parameters"):
                function = {**function, "parameters": sent_schema(fields_of(schema), rules)}
            fitted.append({**tool, "function": function})
        except SchemaError as error:
            refused[_name(tool)] = str(error)
    return fitted, refused


def _function(tool: ProviderMessage) -> ProviderMessage:
    return fields_of(tool.get("function"))


def _name(tool: ProviderMessage) -> str:
    return str(_function(tool).get("name") or "")


def _renamed(tool: ProviderMessage, names: Mapping[str, str]) -> ProviderMessage:
    """Return a tool, or a tool choice, with the sent name."""
    name = _name(tool)
    return {**tool, "function": {**_function(tool), "name": names[name]}} if name in names else tool
