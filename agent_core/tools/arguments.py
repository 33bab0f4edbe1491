"""Parse, check and repair the arguments of tool calls.

Models write `"[1, 2]"` for a list, `"{…}"` for an object, `"5"` for a number. If the schema does not allow text
in that place, such a text has only one meaning and is replaced by it; if it does, the text is kept.
"""

from __future__ import annotations

import ast
import contextlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, cast

import pydantic
from pydantic import BaseModel
from pydantic_core import from_json

from agent_core.errors import ValidationError
from agent_core.sentences import sentence
from agent_core.support.plain_json import fields_of, items_of
from agent_core.tools.json_schema import JsonSchema
from agent_core.tools.tool import Tool

_Schema = Mapping[str, Any]

_MAX_DEPTH = 64
_EXACT = 2**53  # whole numbers up to which a float is exact
_MAX_TEXT = 100_000  # maximum characters of a Python literal
_FENCE = re.compile(r"```\w*[ \t]*\n(.*?)\n?[ \t]*```", re.S)
_MARKS = re.compile(r"\s*(?:</\w+>|<\|[^<>|]*\|>)\s*$")
"""Closing markers of chat templates that remain after the arguments."""

_WORDS: dict[str, Any] = {"true": True, "false": False, "none": None, "null": None}
_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


def parse_arguments(tool: Tool, raw: str | dict[str, Any] | None) -> dict[str, Any]:
    """Return the valid arguments as plain JSON.

    Valid arguments are returned as the model wrote them; others are repaired, if that makes them valid.

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
        better = repaired(arguments, tool.parameters)
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
            arguments = _lenient_json(raw)
        except (ValueError, RecursionError):
            raise refusal from error
    if arguments is None:
        return {}  # some models write "null" for no arguments
    if not isinstance(arguments, dict):
        raise _refused(tool, "they are not a JSON object")
    return cast("dict[str, Any]", arguments)


def _refused(tool: Tool, problem: str) -> ValidationError:
    takes = "any arguments" if tool.allowed is None else _listed(tool.allowed) or "no arguments"
    return ValidationError(sentence("tool_arguments_invalid", tool=tool.name, problem=problem, takes=takes))


def _listed(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))


def repaired(value: Any, schema: Any, root: _Schema | None = None, depth: int = 0) -> Any:
    """Return arguments with every misplaced text replaced by its meaning; the same object if there is none.

    `root` is the whole schema, for its references, and `depth` the nesting of the value within the arguments.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return value
    root = cast(_Schema, schema) if root is None else root
    options = _options(cast(_Schema, schema), root)
    if isinstance(value, str):
        value = _meaning_of(value, options)
    if fields := fields_of(value):
        found = _only_option(options, "object")
        return {key: repaired(item, _property(found, key), root, depth + 1) for key, item in fields.items()}
    if items := items_of(value):
        found = _only_option(options, "array")
        return [repaired(item, _item(found, place), root, depth + 1) for place, item in enumerate(items)]
    return value


def _lenient_json(text: str) -> Any:
    """Return the value of a text that was meant as JSON: fenced, encoded twice, or a Python literal.

    Raises:
        ValueError: the text is none of these.
    """
    text = _MARKS.sub("", text.strip("\ufeff \t\r\n"))
    if fenced := _FENCE.fullmatch(text):
        text = fenced[1].strip()
    try:
        value: Any = _strict(text)
        value = _strict(value) if isinstance(value, str) else value
        json.dumps(value, ensure_ascii=False).encode()  # a lone surrogate is not valid text
        return value
    except ValueError:
        if len(text) > _MAX_TEXT or not text.startswith(("[", "{")):
            raise
    try:
        value = ast.literal_eval(text)
        json.dumps(value, allow_nan=False, ensure_ascii=False).encode()
    except (SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise ValueError(str(error)) from error
    if not _is_plain(value):
        raise ValueError("The value is not JSON.")
    return value


def _strict(text: str) -> Any:
    return json.loads(text, parse_constant=_no_number)


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number.")


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        fields = cast("dict[Any, Any]", value)
        return all(isinstance(key, str) and _is_plain(item) for key, item in fields.items())
    if isinstance(value, list):
        return all(map(_is_plain, cast("list[Any]", value)))
    return value is None or isinstance(value, str | int | float)


def _options(schema: _Schema, root: _Schema) -> list[_Schema]:
    """Return the alternatives of a schema, with references resolved; empty if they are unknown."""
    found: list[_Schema] = []
    waiting: list[_Schema] = [schema]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        inner = [each[key] for key in ("anyOf", "oneOf") if isinstance(each.get(key), list)]
        if isinstance(each.get("allOf"), list):
            if len(each["allOf"]) != 1:
                return []
            inner.append(each["allOf"])
        alternatives = [option for options in inner for option in options]
        if "$ref" in each:
            alternatives.append(_referred(str(each["$ref"]), root))
        if not alternatives:
            found.append(each)
        elif not all(isinstance(option, Mapping) for option in alternatives):
            return []
        waiting += cast("list[_Schema]", alternatives)
    return found


def _referred(reference: str, root: _Schema) -> Any:
    """Return the target of a reference inside the schema; None if it is missing."""
    target: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        key = name.replace("~1", "/").replace("~0", "~")
        if not reference.startswith("#") or not isinstance(target, Mapping):
            return None
        target = cast(_Schema, target).get(key) if key else cast(_Schema, target)
    return target


def _meaning_of(text: str, options: list[_Schema]) -> Any:
    """Return the meaning of a misplaced text; the text itself if text is allowed, or nothing else fits."""
    types = {name for option in options for name in _types(option)}
    if not types or "string" in types or not types <= _TYPES.keys():
        return text
    word = text.strip().casefold()
    try:
        value: Any = _WORDS[word] if word in _WORDS else _lenient_json(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float):
        if not math.isfinite(value):
            return text
        if "number" not in types:
            value = int(value) if value.is_integer() and abs(value) <= _EXACT else text
    fits = any(_is(value, name) for name in types)
    return value if fits else text


def _types(option: _Schema) -> list[str]:
    """Return the types that a schema names; "any" for a schema without types."""
    named = option.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list) and named:
        return [str(name) for name in cast("list[Any]", named)]
    values = option.get("enum") if isinstance(option.get("enum"), list) else None
    values = [option["const"]] if "const" in option else values
    if not values:
        return ["any"]
    return ["string" if isinstance(value, str) else _type_of(value) for value in cast("list[Any]", values)]


def _type_of(value: Any) -> str:
    return next((name for name in _TYPES if _is(value, name)), "any")


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _TYPES[name])


def _only_option(options: list[_Schema], name: str) -> _Schema:
    """Return the only alternative of a type; an empty schema if there are several."""
    found = [option for option in options if name in _types(option)]
    return found[0] if len(found) == 1 else {}


def _item(schema: _Schema, place: int) -> Any:
    """Return the schema of one item of a list; those of the first items may differ."""
    inner: Any = schema.get("items")
    first: list[Any] = items_of(schema.get("prefixItems")) or items_of(inner)
    if place < len(first):
        return first[place]
    return schema.get("additionalItems") if isinstance(inner, list) else inner


def _property(schema: _Schema, key: str) -> Any:
    properties = fields_of(schema.get("properties"))
    if key in properties:
        return properties[key]
    return None if schema.get("patternProperties") else schema.get("additionalProperties")
