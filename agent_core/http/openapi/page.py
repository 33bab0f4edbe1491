"""Render OpenAPI documents as a page without scripts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of the page."""

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#ddd, #3a3a3a); --soft: light-dark(#f5f5f4, #232323);
  --quiet: light-dark(#57534e, #a8a29e) }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 54rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  background: light-dark(#fff, #181818); color: light-dark(#1c1917, #e7e5e4) }
a { color: light-dark(#1d4ed8, #93c5fd) } h1 { margin-bottom: .25rem } h2 { margin-top: 2.5rem }
.part { margin-top: 4rem }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem } nav a { white-space: nowrap }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .5rem 0 }
summary { padding: .5rem .75rem; cursor: pointer; overflow-wrap: anywhere }
details > div { padding: 0 .75rem .75rem; border-top: 1px solid var(--line) }
code { font: .9em ui-monospace, monospace } .verb { display: inline-block; min-width: 3.75rem; font-weight: 600 }
.about { color: var(--quiet); display: block; padding-left: 1rem } p { white-space: pre-line }
dt { margin-top: .5rem } dd { margin-left: 1rem; color: var(--quiet) }
pre { background: var(--soft); padding: .75rem; border-radius: .5rem; overflow-x: auto }
"""


def reference_page(documents: Mapping[str, dict[str, Any]]) -> str:
    """Return the page of documents, by the URLs below which their paths are; the first one gives the title."""
    first, *others = documents.items()
    info = first[1]["info"]
    shown = [*documents.values()]
    links = "".join(f'<a href="#{_anchor(tag)}">{escape(tag)}</a>' for tag in map(_name, _tags(shown)))
    schemas = {name: schema for one in shown for name, schema in one["components"]["schemas"].items()}
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(info['title'])}</title><style>{_STYLE}</style></head><body><main>",
            f"<h1>{escape(info['title'])}</h1>",
            *_about(*first),
            f'<nav aria-label="Groups">{links}<a href="#schemas">Schemas</a></nav>',
            *_groups(first[1]),
            *(part for url, one in others for part in _other(url, one)),
            '<h2 id="schemas">Schemas</h2>',
            *(_schema(name, schema) for name, schema in sorted(schemas.items())),
            "</main></body></html>",
        )
    )


def _about(url: str, document: dict[str, Any]) -> Iterator[str]:
    where = document["servers"][0]["url"]
    yield f"<p>{escape(document['info']['description'])}</p>"
    yield f"<p>Paths are below <code>{escape(where)}</code>. "
    yield "Programs send <code>Authorization: Bearer KEY</code>. "
    yield f'For other tools: <a href="{escape(url)}/openapi.json">openapi.json</a>.</p>'


def _other(url: str, document: dict[str, Any]) -> Iterator[str]:
    title = document["info"]["title"]
    yield f'<h1 class="part">{escape(title)}</h1>'
    yield from _about(url, document)
    yield from _groups(document)


def _tags(documents: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    return (tag for one in documents for tag in one["tags"])


def _name(tag: dict[str, Any]) -> str:
    return tag["name"]


def _groups(document: dict[str, Any]) -> Iterator[str]:
    return (part for tag in document["tags"] for part in _group(document, _name(tag)))


def _group(document: dict[str, Any], tag: str) -> Iterator[str]:
    yield f'<h2 id="{_anchor(tag)}">{escape(tag)}</h2>'
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            if tag in operation["tags"]:
                yield _operation(verb, path, operation)


def _operation(verb: str, path: str, operation: dict[str, Any]) -> str:
    about, more = operation["summary"], operation.get("description", "")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    fields = [*operation.get("parameters", ()), *_fields(body or {})]
    listed = "".join(_field(field) for field in fields)
    answers = "".join(
        _answer(code, one) for code, one in operation["responses"].items() if code.startswith("2")
    )
    return (
        f'<details id="{escape(operation["operationId"])}"><summary><span class="verb">{verb.upper()}</span> '
        f'<code>{escape(path)}</code><span class="about">{_prose(about)}</span></summary><div>'
        f"<p>{_prose(more.removeprefix(about).strip())}</p>"
        + (f"<dl>{listed}</dl>" if listed else "")
        + f"{answers}</div></details>"
    )


def _fields(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, field in schema.get("properties", {}).items():
        description = field.get("description", "")
        required = name in schema.get("required", ())
        yield {"name": name, "in": "body", "required": required, "schema": field, "description": description}


def _field(field: dict[str, Any]) -> str:
    place = field["in"] + (", required" if field.get("required") else "")
    about = _prose(field.get("description", ""))
    return (
        f"<dt><code>{escape(field['name'])}</code> ({place}): {_type(field['schema'])}</dt><dd>{about}</dd>"
    )


def _answer(code: str, response: dict[str, Any]) -> str:
    kinds = [
        f"{escape(kind)}: {_type(content['schema'])}" for kind, content in response.get("content", {}).items()
    ]
    return f"<p>{code}: {', '.join(kinds) or escape(response['description'])}</p>"


def _type(schema: dict[str, Any]) -> str:
    """Return the type of a schema in a few words, with links to the schemas that it names."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return " or ".join(f"<code>{escape(json.dumps(value))}</code>" for value in values)
    kind = schema.get("type", "any value")
    if kind == "array":
        return f"array of {_type(schema.get('items', {}))}"
    properties: dict[str, Any] = schema.get("properties", {}) if kind == "object" else {}
    if len(properties) == 1:
        ((name, inner),) = properties.items()
        return f"{{{escape(name)}: {_type(inner)}}}"
    return escape(kind if isinstance(kind, str) else " or ".join(kind))


def _schema(name: str, schema: dict[str, Any]) -> str:
    shown = escape(json.dumps(schema, indent=2, ensure_ascii=False))
    return (
        f'<details id="schema-{escape(name)}"><summary><code>{escape(name)}</code>'
        f'<span class="about">{_prose(schema.get("description", ""))}</span></summary>'
        f"<div><pre>{shown}</pre></div></details>"
    )


def _prose(text: str) -> str:
    """Return text with the names in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _anchor(tag: str) -> str:
    return escape(tag.lower().replace(" ", "-"))
