"""Convert a request to the form of its provider: messages, tools and options."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from agent_core.domain.model_adapter import ModelEvent, ModelRequest, ProviderMessage, ToolCallDelta
from agent_core.llm.requests.history_rules import fit_history, sent_name
from agent_core.llm.requests.provider_rules import Rules
from agent_core.support.logs import get_logger
from agent_core.support.plain_json import fields_of, items_of

_log = get_logger(__name__)

MAX_SCHEMA_BYTES = 64 << 10
"""Maximum size of a tool's schema, in bytes of the JSON that is sent."""

_MAX_SCHEMA_DEPTH = 90
"""Maximum nesting of objects and lists in a schema that litellm rewrites."""

_THINKING = ("thinking", "reasoning_effort")
_DEFINITIONS = ("$defs", "definitions")
_SCHEMAS_BY_NAME = ("properties", "$defs", "definitions")
_LISTS_OF_SCHEMAS = ("anyOf", "oneOf", "allOf", "prefixItems")
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
    refused = refused_tools(request.tools, rules)
    for name, reason in refused.items():
        if (model, name) not in _warned:
            _warned.add((model, name))
            _log.warning("The tool %s is not offered to %s: %s", name, model or "the model", reason)
    # Copies: litellm resolves references in place, and the agent's list is shared by all models.
    tools = [_readable(copy.deepcopy(tool), rules) for tool in request.tools if _name(tool) not in refused]
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
    refused: dict[str, str] = {}
    for tool in tools:
        schema = _function(tool).get("parameters")
        if schema and (problem := _problem(schema, rules)):
            refused[_name(tool)] = problem
    return refused


def _problem(schema: Any, rules: Rules) -> str:
    """Return the reason why a schema cannot be sent; "" if it can."""
    size = 0
    for count, depth, node in schema_nodes(schema, inline=rules.inlines_references):
        size += count
        if size > MAX_SCHEMA_BYTES:
            how = " once its references are written out" if rules.inlines_references else ""
            return f"the schema of its arguments is longer than {MAX_SCHEMA_BYTES:,} bytes{how}. Make it smaller."
        if rules.inlines_references and depth > _MAX_SCHEMA_DEPTH:
            return "the schema of its arguments is nested too deep for this provider. Make it flatter."
        if rules.inlines_references and isinstance(fields_of(node).get("$ref"), dict):
            return "an argument cannot be called $ref for this provider. Give it another name."
    return ""


def schema_nodes(schema: Any, *, inline: bool) -> Iterator[tuple[int, int, Any]]:
    """Yield the approximate own size in bytes of JSON, the depth and the value of each value in a schema.

    `inline` says whether each `$ref` is replaced by its target, except for recursive references.
    """
    waiting: list[tuple[Any, ProviderMessage, frozenset[str], int]] = [(schema, {}, frozenset(), 0)]
    while waiting:
        node, known, within, depth = waiting.pop()
        inside = depth + 1
        if isinstance(node, dict):
            fields = fields_of(cast(object, node))
            known = {**known, **_definitions(fields)} if inline else known
            reference = fields.get("$ref") if inline else None
            target = reference.rpartition("/")[2] if isinstance(reference, str) else ""
            if target in known and target not in within:
                waiting.append((known[target], known, within | {target}, depth))
                continue
            sent = {key: fields[key] for key in fields if not (inline and key in _DEFINITIONS)}
            yield 2 + sum(len(str(key)) + 4 for key in sent), depth, fields
            waiting += [(value, known, within, inside) for value in sent.values()]
        elif isinstance(node, list):
            items = items_of(cast(object, node))
            yield 2 + 2 * len(items), depth, items
            waiting += [(value, known, within, inside) for value in items]
        else:
            yield len(str(node).encode("utf-8", "surrogatepass")) + 2, depth, node


def _readable(tool: ProviderMessage, rules: Rules) -> ProviderMessage:
    """Change the schema of a tool so that litellm can rewrite it, and return the tool.

    litellm does not support `true` and `false` as schemas, and inlines references into `definitions` without a
    size limit, but not those into `$defs`.
    """
    fields = fields_of(_function(tool).get("parameters"))
    if rules.inlines_references:
        _drop_booleans(fields)
    elif isinstance(fields.get("definitions"), dict) and "$defs" not in fields:
        fields["$defs"] = fields.pop("definitions")
        _refer(fields)
    return tool


def _refer(node: Any) -> None:
    """Redirect references from `definitions` to `$defs`."""
    fields = fields_of(node)
    if isinstance(reference := fields.get("$ref"), str):
        fields["$ref"] = re.sub(r"^#/definitions/", "#/$defs/", reference)
    for value in [*items_of(node), *fields.values()]:
        _refer(value)


def _drop_booleans(schema: ProviderMessage) -> None:
    """Replace the schema `true` by an empty one, and remove the schema `false`."""
    for key in _SCHEMAS_BY_NAME:
        if named := fields_of(schema.get(key)):
            schema[key] = {name: _object(each) for name, each in named.items() if each is not False}
    for key in _LISTS_OF_SCHEMAS:
        if listed := items_of(schema.get(key)):
            schema[key] = [_object(each) for each in listed if each is not False]
    if "items" in schema:
        items = schema.pop("items")
        if items is not False:
            schema["items"] = _object(items)


def _object(schema: Any) -> Any:
    _drop_booleans(fields_of(schema))
    return {} if schema is True else schema


def _definitions(schema: ProviderMessage) -> ProviderMessage:
    return {name: each for key in _DEFINITIONS for name, each in fields_of(schema.get(key)).items()}


def _function(tool: ProviderMessage) -> ProviderMessage:
    return fields_of(tool.get("function"))


def _name(tool: ProviderMessage) -> str:
    return str(_function(tool).get("name") or "")


def _renamed(tool: ProviderMessage, names: Mapping[str, str]) -> ProviderMessage:
    """Return a tool, or a tool choice, with the sent name."""
    name = _name(tool)
    return {**tool, "function": {**_function(tool), "name": names[name]}} if name in names else tool
