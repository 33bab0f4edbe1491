"""Rewrite the schemas of tools so that their provider accepts them, or say why that is impossible.

One schema that a provider rejects fails every request of the agent. So all providers get the current draft of JSON
schema, without conditions on all arguments together, which OpenAI and Anthropic reject at the root. The arguments of
a call are checked with the tool's own schema in any case.
"""

from __future__ import annotations

import functools
import json
import re
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

_TOO_DEEP = "the schema of its arguments is nested too deep for this provider. Make it flatter."
_MAX_DEPTH = 200
_MAX_REWRITTEN_DEPTH = 90
"""Maximum nesting of objects and lists in a schema that litellm rewrites."""


def sent_schema(schema: Json, rules: Rules) -> Json:
    """Return the schema of a tool's arguments as it is sent to a provider: a new dict at each call.

    Raises:
        SchemaError: it cannot be sent; the message is the reason.
    """
    try:
        text = json.dumps(schema)
    except (RecursionError, ValueError):  # also one that contains itself
        raise SchemaError(_TOO_DEEP) from None
    sent, reason = _rewritten(text, rules.inlines_references, rules.arguments)
    if reason:
        raise SchemaError(reason)
    return json.loads(sent)


@functools.lru_cache(maxsize=256)
def _rewritten(text: str, for_google: bool, names: re.Pattern[str]) -> tuple[str, str]:
    """Return a schema as it is sent, or the reason why it cannot be; every request has the same schemas."""
    try:
        schema = json.loads(text)
        _check_size(schema, _MAX_DEPTH)
        plain = with_plain_root(current_draft(with_one_place(clean_schema(schema))))
        if for_google:
            plain = for_gemini(plain, MAX_SCHEMA_BYTES)
            _check_size(plain, _MAX_REWRITTEN_DEPTH)
        _check_names(fields_of(plain.get("properties")), names)
    except SchemaError as error:
        return "", str(error)
    return json.dumps(plain), ""


def _check_names(properties: Json, names: re.Pattern[str]) -> None:
    for name in properties:
        if not names.fullmatch(name):
            raise SchemaError(
                f"an argument cannot be called {name!r:.80} for this provider. Give it another name."
            )


def _check_size(schema: Json, most_depth: int) -> None:
    size = 0
    for count, depth in schema_nodes(schema):
        size += count
        if size > MAX_SCHEMA_BYTES:
            raise SchemaError(
                f"the schema of its arguments is longer than {MAX_SCHEMA_BYTES:,} bytes. Make it smaller."
            )
        if depth > most_depth:
            raise SchemaError(_TOO_DEEP)


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
