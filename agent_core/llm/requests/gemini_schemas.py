"""Rewrite JSON schemas for Gemini, which accepts a subset without references.

litellm converts schemas, but it drops `const`, `oneOf`, `allOf` and values that are no text, finds references only by
the last part of their names, and fails at boolean schemas. https://ai.google.dev/api/caching#Schema
"""

from __future__ import annotations

from typing import Any, cast

from agent_core.llm.requests.json_schemas import (
    SchemaError,
    any_of,
    merged,
    resolved,
    types_of,
    with_inner,
    without_conditions,
)
from agent_core.support.plain_json import Json, fields_of, items_of

_DEFINITIONS = ("$defs", "definitions")
_MAX_VALUES = 20  # values of an argument that are named in its description


def for_gemini(schema: Json, most: int) -> Json:
    """Return a schema without references, in the subset that Gemini accepts.

    Args:
        schema: a schema of the current draft.
        most: maximum size of the result, in bytes of JSON.

    Raises:
        SchemaError: it is longer, or an argument has a name that litellm does not accept.
    """
    return _subset(_References(schema, most).written_out(schema))


class _References:
    """Replaces references by their targets, except for recursive ones."""

    def __init__(self, root: Json, most: int) -> None:
        self._root = root
        self._most = most
        self._size = 0

    def written_out(self, schema: Any, within: tuple[str, ...] = ()) -> Any:
        """Return a schema without references; `within` has those that led to it."""
        if not isinstance(schema, dict):
            return schema
        fields = fields_of(cast(object, schema))
        node = {key: value for key, value in fields.items() if key not in _DEFINITIONS}
        self._count(node)
        reference = node.pop("$ref", None) or node.pop("$dynamicRef", None)
        inner = with_inner(node, lambda each: self.written_out(each, within))
        if reference is None:
            return inner
        target = resolved(reference, self._root)
        if target is None or reference in within:
            kept = types_of(fields_of(target)) or ["object"]
            return {"type": kept[0], **inner}
        found = self.written_out(target, (*within, str(reference)))
        return found if isinstance(found, bool) else merged(fields_of(found), inner)

    def _count(self, node: Json) -> None:
        if isinstance(fields_of(node.get("properties")).get("$ref"), dict):
            raise SchemaError("an argument cannot be called $ref for this provider. Give it another name.")
        self._size += sum(len(str(key)) + 4 + _own_size(value) for key, value in node.items())
        if self._size > self._most:
            raise SchemaError(
                f"the schema of its arguments is longer than {self._most:,} bytes once its references are written "
                "out. Make it smaller."
            )


def _own_size(value: Any) -> int:
    if listed := items_of(value):
        return sum(len(str(each)) + 4 for each in listed if not isinstance(each, dict))
    return sum(len(str(key)) + 4 for key in fields_of(value)) or len(str(value))


def _subset(schema: Any) -> Any:
    """Return a schema in Gemini's subset; True, which allows anything, as {}, and False as None."""
    if not isinstance(schema, dict):
        return {} if schema is not False else None
    node = _without_false(with_inner(fields_of(cast(object, schema)), _subset))
    for each in items_of(node.pop("allOf", None)):
        node = merged(fields_of(each), node)
    if options := [*items_of(node.pop("anyOf", None)), *items_of(node.pop("oneOf", None))]:
        node["anyOf"] = options
        if "properties" in node:  # litellm would drop them
            node = without_conditions(node)
    if "prefixItems" in node:
        node["items"] = any_of([*node.pop("prefixItems"), *([rest] if (rest := node.get("items")) else [])])
    node = _with_values(node)
    if "properties" in node and "required" in node:
        node["required"] = [name for name in items_of(node["required"]) if name in node["properties"]]
    return node


def _without_false(node: Json) -> Json:
    """Return a schema without the schemas in it that allow nothing."""
    plain = {key: value for key, value in node.items() if value is not None or key in ("default", "const")}
    for key in ("anyOf", "oneOf", "allOf", "prefixItems"):
        if key in plain:
            plain[key] = [each for each in items_of(plain[key]) if each is not None]
    if "properties" in plain:
        fields = fields_of(plain["properties"])
        plain["properties"] = {name: each for name, each in fields.items() if each is not None}
    return plain


def _with_values(node: Json) -> Json:
    """Return a schema whose only values are texts, and whose types do not include null."""
    types = types_of(node)
    if "const" in node:
        node = {**node, "enum": [node["const"]]}
        del node["const"]
    if "null" in types and len(types) > 1:
        node, types = {**node, "nullable": True}, [name for name in types if name != "null"]
    if len(types) == 1:
        node = {**node, "type": types[0]}
    elif types and "anyOf" not in node:
        node = {**node, "type": types}
    if "enum" not in node:
        return node
    given = [value for value in items_of(node["enum"]) if value not in (None, "")]
    if given and types == ["string"]:
        return {**node, "enum": given}
    words = f"One of {', '.join(map(str, given[:_MAX_VALUES]))}." if given else ""
    described = " ".join(filter(None, (node.get("description"), words)))
    kept = node if types == ["integer"] else {key: value for key, value in node.items() if key != "enum"}
    return kept | ({"description": described} if described else {})
