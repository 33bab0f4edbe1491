"""Repair arguments that a model wrote as text although the schema does not allow text.

Models write `"[1, 2]"` for a list, `"{…}"` for an object, `"5"` for a number. If the schema does not allow text
in that place, such a text has only one meaning; if it does, the text is kept.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_MAX_DEPTH = 64
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


def mended(value: Any, schema: Any, root: Schema | None = None, depth: int = 0) -> Any:
    """Return arguments with every misplaced text replaced by its meaning; the same object if there is none.

    Args:
        value: the arguments, or a part of them.
        schema: the JSON schema of the value.
        root: the whole schema, for its references; None: `schema` is it.
        depth: nesting of the value within the arguments.
    """
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return value
    root = cast(Schema, schema) if root is None else root
    options = _options(cast(Schema, schema), root)
    if isinstance(value, str):
        value = _meant(value, options)
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        found = _one(options, "object")
        return {key: mended(item, _property(found, key), root, depth + 1) for key, item in fields.items()}
    if isinstance(value, list):
        items = _one(options, "array").get("items")
        return [mended(item, items, root, depth + 1) for item in cast("list[Any]", value)]
    return value


def read_written(text: str) -> Any:
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


def _options(schema: Schema, root: Schema) -> list[Schema]:
    """Return the alternatives of a schema, with references resolved; empty if they are unknown."""
    found: list[Schema] = []
    waiting: list[Schema] = [schema]
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
        waiting += cast("list[Schema]", alternatives)
    return found


def _referred(reference: str, root: Schema) -> Any:
    """Return the target of a reference inside the schema; None if it is missing."""
    target: Any = root
    for name in reference.removeprefix("#").strip("/").split("/"):
        key = name.replace("~1", "/").replace("~0", "~")
        if not reference.startswith("#") or not isinstance(target, Mapping):
            return None
        target = cast(Schema, target).get(key) if key else cast(Schema, target)
    return target


def _meant(text: str, options: list[Schema]) -> Any:
    """Return the meaning of a misplaced text; the text itself if text is allowed, or nothing else fits."""
    types = {name for option in options for name in _types(option)}
    if not types or "string" in types or not types <= _TYPES.keys():
        return text
    word = text.strip().casefold()
    try:
        value: Any = _WORDS[word] if word in _WORDS else read_written(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(value, float):
        if not math.isfinite(value):
            return text
        value = int(value) if value.is_integer() and "number" not in types else value
    fits = any(_is(value, name) for name in types)
    return value if fits else text


def _types(option: Schema) -> list[str]:
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


def _one(options: list[Schema], name: str) -> Schema:
    """Return the only alternative of a type; an empty schema if there are several."""
    found = [option for option in options if name in _types(option)]
    return found[0] if len(found) == 1 else {}


def _property(schema: Schema, key: str) -> Any:
    properties: Any = schema.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        return cast(Schema, properties)[key]
    return None if schema.get("patternProperties") else schema.get("additionalProperties")
