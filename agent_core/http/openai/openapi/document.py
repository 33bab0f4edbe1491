"""Make the OpenAPI document of OpenAI's paths from the table that routes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent_core.http.openai.openapi.schemas import ANSWERS, BODIES
from agent_core.http.openai.paths import HEADERS, PATHS, Path, Schema
from agent_core.http.openapi.extra_paths import EVENTS
from agent_core.support.version import __version__

_REFUSALS: Mapping[str, str] = {
    "400": "A parameter is invalid, unknown or not supported, or the key was used for another request.",
    "401": "Nobody is signed in, or the key is not valid.",
    "403": "The caller may not do this.",
    "404": "There is no such model, response or thread.",
    "408": "The body came too slowly.",
    "409": "Another turn is in progress, or the answer was stopped or replaced.",
    "413": "The body is too long.",
    "415": "The body is not sent as JSON.",
    "429": "The model's provider, or this server, has had too many requests.",
    "502": "The turn failed.",
    "503": "The database failed, or the server is stopping.",
}
_OF_BODIES = ("408", "413", "415")
_OF_TURNS = ("502",)
_DESCRIPTION = (
    "The paths of OpenAI's API for its clients: an agent is a model, a turn of its thread an answer, a conversation "
    "a thread. An answer that was requested once is written even if the client or the server goes away."
)


def openai_document(url: str) -> dict[str, Any]:
    """Return the document of the paths that are served at a URL, which may be a path."""
    paths: dict[str, dict[str, Any]] = {}
    for path in PATHS:
        paths.setdefault(path.path, {})[path.verb.lower()] = _operation(path)
    return {
        "openapi": "3.1.1",
        "info": {"title": "OpenAI's API", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": url or "/"}],
        "security": [{}, {"key": []}],
        "tags": [{"name": name} for name in dict.fromkeys(path.tag for path in PATHS)],
        "paths": paths,
        "components": {
            "schemas": ANSWERS,
            "responses": {code: _refusal(text) for code, text in _REFUSALS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: Path) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": path.endpoint.replace(".", "_"),
        "tags": [path.tag],
        "summary": path.summary,
        "parameters": _parameters(path),
        "responses": {"200": _success(path), **_refusals(path)},
    }
    if path.body is not None:
        content = {"application/json": {"schema": BODIES[path.body]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameters(path: Path) -> list[Schema]:
    text: Schema = {"type": "string"}
    return [
        *(
            {"name": name, "in": "path", "required": True, "schema": text}
            for name in re.findall(r"{(\w+)}", path.path)
        ),
        *({"name": name, "in": "query", "schema": schema} for name, schema in (path.query or {}).items()),
        *(
            {"name": name, "in": "header", "schema": text, "description": HEADERS[name]}
            for name in path.headers
        ),
    ]


def _success(path: Path) -> Schema:
    content: Schema = {"application/json": {"schema": {"$ref": f"#/components/schemas/{path.answer}"}}}
    if path.streams:
        content |= EVENTS
    return {"description": "Done.", "content": content}


def _refusals(path: Path) -> Schema:
    left_out = () if path.body else (*_OF_BODIES, *_OF_TURNS)
    return {code: {"$ref": f"#/components/responses/{code}"} for code in _REFUSALS if code not in left_out}


def _refusal(text: str) -> Schema:
    schema = {"$ref": "#/components/schemas/OpenAIError"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
