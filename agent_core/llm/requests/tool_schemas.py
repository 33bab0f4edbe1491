"""Rewrite the schemas of tools so that their provider accepts them, or say why that is impossible.

One schema that a provider rejects fails every request of the agent. So all providers get the current draft of JSON
schema, without conditions on all arguments together, which OpenAI and Anthropic reject at the root. The arguments of
a call are checked with the tool's own schema in any case.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from agent_core.llm.requests.gemini_schemas import for_gemini
from agent_core.llm.requests.json_schemas import (
    SchemaError,
    clean_schema,
    current_draft,
    with_one_place,
    with_plain_root,
)
from agent_core.llm.requests.provider_rules import Rules
from agent_core.support.plain_json import Json, fields_of, items_of

MAX_SCHEMA_BYTES = 64 << 10
"""Maximum size of a tool's schema, in bytes of the JSON that is sent."""

_MAX_DEPTH = 200
_MAX_REWRITTEN_DEPTH = 90
"""Maximum nesting of objects and lists in a schema that litellm rewrites."""


def sent_schema(schema: Json, rules: Rules) -> Json:
    """Return the schema of a tool's arguments as it is sent to a provider; the given one is not changed.

    Raises:
        SchemaError: it cannot be sent; the message is the reason.
    """
    _check_size(schema, _MAX_DEPTH)
    plain = with_plain_root(current_draft(with_one_place(clean_schema(schema))))
    if rules.inlines_references:
        plain = for_gemini(plain, MAX_SCHEMA_BYTES)
        _check_size(plain, _MAX_REWRITTEN_DEPTH)
    for name in fields_of(plain.get("properties")):
        if not rules.arguments.fullmatch(name):
            raise SchemaError(
                f"an argument cannot be called {name!r:.80} for this provider. Give it another name."
            )
    return plain


def _check_size(schema: Json, most_depth: int) -> None:
    size = 0
    for count, depth in schema_nodes(schema):
        size += count
        if size > MAX_SCHEMA_BYTES:
            raise SchemaError(
                f"the schema of its arguments is longer than {MAX_SCHEMA_BYTES:,} bytes. Make it smaller."
            )
        if depth > most_depth:
            raise SchemaError(
                "the schema of its arguments is nested too deep for this provider. Make it flatter."
            )


def schema_nodes(schema: Any) -> Iterator[tuple[int, int]]:
    """Yield the approximate own size in bytes of JSON, and the depth, of each value in a schema."""
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        node, depth = waiting.pop()
        if isinstance(node, dict | list):
            fields, items = fields_of(cast(object, node)), items_of(cast(object, node))
            yield 2 + sum(len(str(key)) + 4 for key in fields) + 2 * len(items), depth
            waiting += [(value, depth + 1) for value in [*fields.values(), *items]]
        else:
            yield len(str(node).encode("utf-8", "surrogatepass")) + 2, depth
