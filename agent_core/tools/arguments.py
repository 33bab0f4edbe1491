"""Parse and check the arguments of tool calls."""

from __future__ import annotations

import contextlib
import json
from typing import Any, cast

import pydantic
from pydantic import BaseModel
from pydantic_core import from_json

from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.tools.argument_repair import mended, read_written
from agent_core.tools.json_schema import JsonSchema
from agent_core.tools.tool import Tool


def parse_arguments(tool: Tool, raw: str | dict[str, Any] | None) -> dict[str, Any]:
    """Return the valid arguments as plain JSON.

    Valid arguments are returned as the model wrote them. Otherwise text in place of another type, such as
    "[1, 2]" for a list, is repaired.

    Args:
        tool: the called tool.
        raw: JSON text, or an object; None, "" and blank text mean no arguments.

    Raises:
        ValidationError: the arguments are invalid; the message tells the model what to write instead.
    """
    arguments = _read(tool, raw)
    try:
        validate(tool, arguments)
    except ValidationError:
        better = mended(arguments, tool.parameters)
        if better == arguments:
            raise
        with contextlib.suppress(ValidationError):
            validate(tool, better)
            return better
        raise
    return arguments


def validate(tool: Tool, arguments: dict[str, Any]) -> BaseModel | dict[str, Any]:
    """Return the arguments as an instance of the tool's model; unchanged if the tool has a JSON schema.

    Raises:
        ValidationError: the arguments are invalid.
    """
    if isinstance(tool.args_model, JsonSchema):
        if problems := tool.args_model.problems(arguments):
            raise _refused(tool, "; ".join(problems))
        return arguments
    allowed = tool.allowed
    if allowed is not None and (unknown := arguments.keys() - allowed):
        raise _refused(tool, f"there is no argument {_listed(unknown)}")
    try:
        return tool.args_model.model_validate(arguments)
    except pydantic.ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc'])) or 'arguments'}: {item['msg']}"
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise _refused(tool, "; ".join(problems)) from error


def _read(tool: Tool, raw: str | dict[str, Any] | None) -> dict[str, Any]:
    try:
        text = raw if isinstance(raw, str) else json.dumps(raw or {}, allow_nan=False)
        arguments: Any = from_json(text if text.strip() else "{}", allow_inf_nan=False)
        if isinstance(arguments, str):  # some models write the JSON as a JSON string
            arguments = from_json(arguments, allow_inf_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        refusal = _refused(tool, f"they are not JSON ({error})")
        if not isinstance(raw, str):
            raise refusal from error
        try:
            arguments = read_written(raw)
        except (ValueError, RecursionError):
            raise refusal from error
    if arguments is None:
        return {}  # some models write "null" for no arguments
    if not isinstance(arguments, dict):
        raise _refused(tool, "they are no JSON object")
    return cast("dict[str, Any]", arguments)


def _refused(tool: Tool, problem: str) -> ValidationError:
    takes = "any arguments" if tool.allowed is None else _listed(tool.allowed) or "no arguments"
    return ValidationError(sentence("tool_arguments_invalid", tool=tool.name, problem=problem, takes=takes))


def _listed(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))
