"""Rewrite JSON schemas: of older drafts to the current one, and with conditions on a whole object without them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import unquote

from agent_core.domain.validation import clean_text
from agent_core.support.plain_json import Json, fields_of, items_of

_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = (
    *("items", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else"),
    *("additionalItems", "unevaluatedItems", "unevaluatedProperties"),
)
_CONDITIONS = ("anyOf", "oneOf", "not", "enum", "const", "if", "then", "else", "discriminator")
_KINDS: tuple[tuple[type, str], ...] = (
    *((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")),
    *((list, "array"), (dict, "object")),
)
_MAX_DEPTH = 64  # alternatives within alternatives
_MAX_ALTERNATIVES = 1_000  # with those of references, which may double at each level


class SchemaError(Exception):
    """A schema cannot be sent; the message is the reason."""


def clean_schema(value: Any) -> Any:
    """Return a copy that can be sent as JSON: without infinite numbers and lone surrogates."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        fields = fields_of(cast(object, value))
        return {clean_text(str(key)): clean_schema(item) for key, item in fields.items()}
    if isinstance(value, list):
        return [clean_schema(item) for item in items_of(cast(object, value))]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def with_inner(schema: Json, change: Callable[[Any], Any]) -> Json:
    """Return a copy of a schema in which `change` has replaced each schema directly inside it."""
    changed = dict(schema)
    for key in _BY_NAME:
        if isinstance(named := schema.get(key), dict):
            changed[key] = {name: change(each) for name, each in fields_of(cast(object, named)).items()}
    for key in _LISTS:
        if isinstance(listed := schema.get(key), list):
            changed[key] = [change(each) for each in items_of(cast(object, listed))]
    for key in _SINGLE:
        if isinstance(each := schema.get(key), dict | bool):
            changed[key] = change(each)
    return changed


def current_draft(schema: Any) -> Any:
    """Return a schema of any draft as one of 2020-12; lists have `items`, which OpenAI requires."""
    if not isinstance(schema, dict):
        return schema
    node = dict(fields_of(cast(object, schema)))
    if first := items_of(node.get("items")):
        node["prefixItems"] = first
        node["items"] = node.get("additionalItems", {})
    node = with_inner(node, current_draft)
    node.pop("additionalItems", None)
    node.pop("$schema", None)
    for bound in ("minimum", "maximum"):
        exclusive = f"exclusive{bound.capitalize()}"
        if isinstance(strict := node.get(exclusive), bool):
            del node[exclusive]
            if strict and bound in node:
                node[exclusive] = node.pop(bound)
    if "array" in types_of(node):
        node.setdefault("items", {})
    return node


def with_plain_root(schema: Json) -> Json:
    """Return the schema of an object without conditions on the whole object.

    The properties of all its alternatives are offered; those that each of them requires are required.

    Raises:
        SchemaError: it has too many alternatives.
    """
    plain = _Conditions(schema).dropped(schema)
    return {**plain, "type": "object", "properties": fields_of(plain.get("properties"))}


def without_conditions(schema: Json) -> Json:
    """Return an inner schema of an object like `with_plain_root`; its references are resolved already."""
    return _Conditions({}).dropped(schema)


class _Conditions:
    """Drops the conditions of a schema; `root` is the whole schema, for its references."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._read = 0

    def dropped(self, schema: Any, depth: int = 0) -> Json:
        """Return a schema with the properties of all its alternatives, at a depth of references."""
        self._read += 1
        if depth > _MAX_DEPTH or self._read > _MAX_ALTERNATIVES:
            raise SchemaError("the schema of its arguments has too many alternatives. Make it smaller.")
        node = fields_of(schema)
        plain = {key: value for key, value in node.items() if key not in ("$ref", "allOf", *_CONDITIONS)}
        target = resolved(node.get("$ref"), self._root)
        for each in [*([] if target is None else [target]), *items_of(node.get("allOf"))]:
            plain = merged(self.dropped(each, depth + 1), plain)
        for key in ("anyOf", "oneOf"):
            if options := [self.dropped(each, depth + 1) for each in items_of(node.get(key))]:
                first, *others = ([*map(str, items_of(option.get("required")))] for option in options)
                shared = [name for name in first if all(name in other for other in others)]
                plain = merged({"properties": _offered(options), "required": shared}, plain)
        return plain


def _offered(options: list[Json]) -> Json:
    """Return the properties of all alternatives; one that differs may have any of its schemas."""
    found: dict[str, list[Any]] = {}
    for option in options:
        for name, each in fields_of(option.get("properties")).items():
            found.setdefault(name, []).append(each)
    return {name: any_of(each) for name, each in found.items()}


def any_of(schemas: list[Any]) -> Any:
    """Return the schema of values that fit any of the schemas."""
    different = [each for place, each in enumerate(schemas) if each not in schemas[:place]]
    return different[0] if len(different) == 1 else {"anyOf": different}


def merged(first: Json, second: Json) -> Json:
    """Return the schema of objects that satisfy both; of properties and keys in both, the second counts."""
    both = {**first, **second}
    for key in ("properties", "$defs"):
        if joined := {**fields_of(first.get(key)), **fields_of(second.get(key))}:
            both[key] = joined
    names = [*items_of(first.get("required")), *items_of(second.get("required"))]
    if names:
        both["required"] = list(dict.fromkeys(names))
    else:
        both.pop("required", None)
    return both


def types_of(schema: Json) -> list[str]:
    """Return the types that a schema names, or those of its values."""
    named = schema.get("type")
    if isinstance(named, str):
        return [named]
    if isinstance(named, list):
        return [str(name) for name in cast("list[Any]", named)]
    values = [schema["const"]] if "const" in schema else items_of(schema.get("enum"))
    return list(dict.fromkeys(map(_type_of, values)))


def _type_of(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "null")


# References


def with_one_place(schema: Json) -> Json:
    """Return a schema whose definitions are all in `$defs`, and whose references are relative to the schema."""
    home = schema.get("$id") if isinstance(schema.get("$id"), str) else ""
    kept, moved = fields_of(schema.get("$defs")), fields_of(schema.get("definitions"))
    names = {name: f"{name}_definition" if name in kept else name for name in moved}
    plain = {key: value for key, value in schema.items() if key not in ("$id", "definitions")}
    if moved:
        plain["$defs"] = {**kept, **{names[name]: each for name, each in moved.items()}}
    return cast(Json, _referred(plain, str(home), names))


def _referred(node: Any, home: str, names: Mapping[str, str]) -> Any:
    if not isinstance(node, dict):
        return node
    changed = with_inner(fields_of(cast(object, node)), lambda inner: _referred(inner, home, names))
    if isinstance(reference := changed.get("$ref"), str):
        if home and reference.startswith(home):
            reference = reference.removeprefix(home) or "#"
        start, under, rest = reference.partition("#/definitions/")
        name, slash, inside = rest.partition("/")
        if under and not start:
            reference = f"#/$defs/{names.get(name, name)}{slash}{inside}"
        changed["$ref"] = reference
    return changed


def resolved(reference: object, root: Json) -> Any:
    """Return the target of a reference inside of a schema; None if there is none."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    pointer = unquote(reference[1:])
    if pointer and not pointer.startswith("/"):
        return _anchored(root, pointer)
    target: Any = root
    for name in pointer.split("/")[1:]:
        key = name.replace("~1", "/").replace("~0", "~")
        if isinstance(target, list):
            items = items_of(cast(object, target))
            target = items[int(key)] if key.isdecimal() and int(key) < len(items) else None
        else:
            target = fields_of(target).get(key)
    return target


def _anchored(node: Any, anchor: str) -> Any:
    fields = fields_of(node)
    if anchor in (fields.get("$anchor"), fields.get("$dynamicAnchor"), fields.get("$id")):
        return fields
    found = (_anchored(each, anchor) for each in [*fields.values(), *items_of(node)])
    return next((each for each in found if each is not None), None)
