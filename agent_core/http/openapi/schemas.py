"""Make JSON Schemas of the fields of requests, and of the values in answers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

from docstring_parser import Docstring, parse
from docstring_parser.common import DocstringStyle
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from agent_core.domain.limits import Budget, Limit
from agent_core.http.requests import MAX_WAIT_TIMEOUT, count, moment, seconds_to_wait, truth
from agent_core.http.routes import NULLABLE, TYPES, Path

Schema = dict[str, Any]
Methods = Mapping[str, Callable[..., Any]]
"""The methods of the API, by the names in the paths."""

_REFERENCE = "#/components/schemas/{model}"
_JSON_TYPES: Mapping[type, str] = {
    **{str: "string", bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
}
_PART: Schema = {"type": "object", "description": "A part of a message, as in the AI SDK."}
_WHEN: Schema = {"type": ["string", "number"], "description": "ISO 8601, or seconds since the epoch."}
_SPECIAL: Mapping[str, Schema] = {
    "prompt": {"anyOf": [{"type": "string"}, {"type": "array", "items": _PART}]},
    "messages": {"type": "array", "items": {"type": "object"}},
    "ids": {"type": "array", "items": {"type": "string"}},
    "result": {"description": "Any JSON value."},
    "limit": TypeAdapter(Limit).json_schema(),
    "budget": TypeAdapter(Budget).json_schema(),
    "trigger": {
        "anyOf": [
            {
                "type": "object",
                "required": ["type", "expression"],
                "properties": {
                    **{"type": {"const": "cron"}, "expression": {"type": "string"}},
                    "timezone": {"type": "string"},
                },
            },
            {
                "type": "object",
                "required": ["type"],
                "properties": {
                    **{unit: {"type": "number"} for unit in ("weeks", "days", "hours", "minutes", "seconds")},
                    **{"type": {"const": "interval"}, "start": _WHEN, "timezone": {"type": "string"}},
                },
            },
            {
                "type": "object",
                "required": ["type", "moment"],
                "properties": {"type": {"const": "date"}, "moment": _WHEN},
            },
        ]
    },
}
"""Schemas of fields that say more than their types."""

_QUERIES: Mapping[Any, Schema] = {
    str: {"type": "string"},
    count: {"type": "integer", "minimum": 0},
    truth: {"type": "boolean"},
    moment: {"type": "string", "format": "date-time"},
    seconds_to_wait: {"type": "number", "minimum": 0, "maximum": MAX_WAIT_TIMEOUT},
}
"""Schemas of what the parsers of queries read."""

_LEFT_OUT: Mapping[str, tuple[str, ...]] = {"Thread": ("in_bin",), "Message": ("usage",)}
_OPTIONAL: Mapping[str, tuple[str, ...]] = {"Message": ("branches", "end_reasons", "error_info")}
_ADDED: Mapping[str, Schema] = {
    "Schedule": {"status": {"enum": ["active", "paused", "over"]}},
    **{
        name: {"type": {"const": kind}}
        for name, kind in (("Cron", "cron"), ("Every", "interval"), ("At", "date"))
    },
}
"""Differences between the fields of a class and the keys of its `to_dict`."""


class _AnswerSchema(GenerateJsonSchema):
    """Generator for values that the server writes, which have all of their fields."""

    def field_is_required(self, field: Any, total: bool) -> bool:
        """Return that the field is always there."""
        return True


def answer_schemas(methods: Methods) -> tuple[dict[str, Schema], dict[str, Schema]]:
    """Return the schema of each method's result, None left out, and the schemas that they refer to."""
    results = {name: get_type_hints(method)["return"] for name, method in methods.items()}
    adapters = [
        (name, "serialization", TypeAdapter(hint)) for name, hint in results.items() if hint is not type(None)
    ]
    found, shared = TypeAdapter.json_schemas(
        adapters,  # pyright: ignore[reportArgumentType]
        ref_template=_REFERENCE,
        schema_generator=_AnswerSchema,
    )
    defined: dict[str, Schema] = shared.get("$defs", {})
    for name, schema in defined.items():
        _complete(name, schema)
    return {name: _without_null(schema) for (name, _), schema in found.items()}, defined


def _complete(name: str, schema: Schema) -> None:
    """Make the schema of a class that of its `to_dict`, with the descriptions of its docstring."""
    doc = _parsed(schema.get("description", ""))
    described = parameters_of(doc)
    left_out = _LEFT_OUT.get(name, ())
    fields: dict[str, Schema] = {
        key: _described(field, described.get(key))
        for key, field in schema.get("properties", {}).items()
        if key not in left_out
    } | _ADDED.get(name, {})
    schema["properties"] = fields
    schema["required"] = [key for key in fields if key not in _OPTIONAL.get(name, ())]
    schema["description"] = summary_of(doc)


def _described(schema: Schema, text: str | None) -> Schema:
    """Return a schema without what its key says already, and with a description if there is one."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "default")}
    return kept | {"description": text} if text and "$ref" not in kept else kept


def _without_null(schema: Schema) -> Schema:
    """Return a schema of the same values without null: where there is nothing, the answer is 404."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return (
        choices[0] if len(choices) == 1 else {key: value for key, value in schema.items() if key != "title"}
    )


def body_schema(path: Path, method: Callable[..., Any]) -> Schema:
    """Return the schema of a path's body."""
    hints, described = get_type_hints(method), parameters_of(doc_of(method))
    names = (*path.required, *path.optional)
    fields = {name: _described(_field(path, name, hints[name]), described.get(name)) for name in names}
    schema: Schema = {"type": "object", "properties": fields, "additionalProperties": False}
    return schema | {"required": list(path.required)} if path.required else schema


def _field(path: Path, name: str, hint: Any) -> Schema:
    schema = _SPECIAL.get(name) or _of_types(name, hint)
    if name in path.required and name not in NULLABLE:
        return schema
    if not schema.keys() & {"type", "anyOf", "enum"}:
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _of_types(name: str, hint: Any) -> Schema:
    """Return the schema of a field from the table of types, or of a Literal."""
    choices = [hint, *get_args(hint)]
    literal = next((one for one in choices if get_origin(one) is Literal), None)
    if literal is not None:
        return {"type": "string", "enum": list(get_args(literal))}
    kinds = TYPES.get(name, ())
    names = ["number"] if float in kinds else [_JSON_TYPES[kind] for kind in kinds]
    return {"type": names[0]} if len(names) == 1 else {"type": names}


def query_parameters(path: Path, method: Callable[..., Any]) -> list[Schema]:
    """Return the parameters of a path: those in the path itself, and those of the query."""
    described, takes = parameters_of(doc_of(method)), inspect.signature(method).parameters
    in_path = [piece.strip("{}") for piece in path.path.split("/") if piece.startswith("{")]
    found: list[Schema] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in in_path
    ]
    for name, reader in path.query.items():
        required = takes[name].default is inspect.Parameter.empty and not path.defaults.get(name, "")
        found.append({"name": name, "in": "query", "required": required, "schema": _QUERIES[reader]})
    return [
        one | {"description": described[one["name"]]} if one["name"] in described else one for one in found
    ]


def doc_of(method: Callable[..., Any]) -> Docstring:
    """Return the parsed docstring of a method."""
    return _parsed(inspect.getdoc(method) or "")


def _parsed(text: str) -> Docstring:
    """Parse a docstring up to its sections on results and exceptions, which need not have the parser's form."""
    described = re.split(r"^(?:Returns|Raises):", text, flags=re.M)[0]
    return parse(re.sub(r"\bNone\b", "null", described), DocstringStyle.GOOGLE)


def summary_of(doc: Docstring) -> str:
    """Return the text of a docstring before its sections."""
    return "\n\n".join(filter(None, (doc.short_description, doc.long_description)))


def parameters_of(doc: Docstring) -> dict[str, str]:
    """Return the descriptions in a docstring's sections of arguments and attributes, by name."""
    return {
        name.strip(): " ".join((one.description or "").split())
        for one in doc.params
        for name in one.arg_name.split(",")
    }
