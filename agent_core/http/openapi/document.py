"""Make the OpenAPI document of the paths (https://spec.openapis.org/oas/v3.1.1.html)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import TYPE_CHECKING, Any, get_type_hints

from agent_core.http.openapi.extra_paths import EXTRA_PATHS
from agent_core.http.openapi.schemas import (
    Schema,
    answer_schemas,
    body_schema,
    doc_of,
    query_parameters,
    summary_of,
)
from agent_core.http.routes import PATHS, Path
from agent_core.support.version import __version__

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_REFUSALS: Mapping[str, str] = {
    "400": "The body is not JSON.",
    "401": "Nobody is signed in, or the key is not valid.",
    "403": "The caller may not do this.",
    "404": "There is no such thing.",
    "408": "It took too long.",
    "409": "The thread is busy, the id is used elsewhere, or the call is finished.",
    "413": "The body is too long.",
    "415": "The body is not sent as JSON.",
    "422": "An argument is unacceptable; the message says which one.",
    "429": "Too many wrong keys.",
    "503": "The database failed, or the server is stopping.",
}
_OF_BODIES = ("400", "413", "415")
_ERROR: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["type", "message"],
            "properties": {
                "type": {"type": "string", "description": "The name of the exception."},
                "message": {"type": "string", "description": "A sentence for people."},
                "code": {
                    "type": "string",
                    "description": "Stable; absent if the message is not the library's.",
                },
                "params": {"type": "object", "description": "The values in the message."},
            },
        }
    },
}
_TAGS = (
    ("schedules.", "Schedules"),
    ("limits.", "Limits and budgets"),
    ("outbox.", "Outbox"),
    ("admin.", "Administration"),
    ("preferences.", "Preferences"),
    ("shares.", "Sharing"),
    ("insight.|timeline", "Insight"),
    (".*tool_call|add_tool|list_waiting", "Tool calls"),
    (".*message|.*branch|fork|regenerate|send_now|stream", "Messages"),
    ("", "Threads"),
)
"""The group of a method: that of the first pattern that its name matches."""


def openapi_document(api: AgentApi, url: str) -> dict[str, Any]:
    """Return the document of an API that is served at a URL, which may be a path."""
    methods = {path.method: attrgetter(path.method)(api) for path in PATHS}
    answers, schemas = answer_schemas(methods)
    paths: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for path in PATHS:
        operation = _operation(path, methods[path.method], answers.get(path.method))
        operation["operationId"] += "_anywhere" if operation["operationId"] in seen else ""
        seen.add(operation["operationId"])
        paths.setdefault(path.path, {})[path.verb.lower()] = operation
    for path, operations in EXTRA_PATHS.items():
        paths[path] = {verb: _with_refusals(verb, operation) for verb, operation in operations.items()}
    return {
        "openapi": "3.1.1",
        "info": {"title": "Durable agents", "version": __version__, "description": _DESCRIPTION},
        "servers": [{"url": url or "/"}],
        "security": [{}, {"key": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tags(paths))],
        "paths": paths,
        "components": {
            "schemas": schemas | {"Error": _ERROR},
            "responses": {code: _refusal(text) for code, text in _REFUSALS.items()},
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


_DESCRIPTION = (
    "Threads of agents whose work survives the process that runs it. An answer that was requested once is written "
    "even if the client or the server goes away; read it again with the thread's id."
)


def _operation(path: Path, method: Callable[..., Any], answer: Schema | None) -> dict[str, Any]:
    """Return the operation of a path from the table and the method's signature and docstring."""
    doc = doc_of(method)
    operation: dict[str, Any] = {
        "operationId": path.method.replace(".", "_"),
        "tags": [next(tag for pattern, tag in _TAGS if re.match(pattern, path.method))],
        "summary": summary_of(doc).split("\n\n")[0],
        "description": summary_of(doc),
        "parameters": query_parameters(path, method),
        "responses": _success(path, answer),
    }
    if path.required or path.optional:
        content = {"application/json": {"schema": body_schema(path, method)}}
        operation["requestBody"] = {"required": bool(path.required), "content": content}
    if type(None) in getattr(get_type_hints(method)["return"], "__args__", ()):
        assert path.kind, "a path of a method that may return None says what does not exist"
    return _with_refusals(path.verb.lower(), operation)


def _success(path: Path, answer: Schema | None) -> dict[str, Any]:
    if answer is None:
        return {"204": {"description": "Done."}}
    if path.name:
        answer = {"type": "object", "required": [path.name], "properties": {path.name: answer}}
    return {str(path.status): {"description": "Done.", "content": {"application/json": {"schema": answer}}}}


def _with_refusals(verb: str, operation: dict[str, Any]) -> dict[str, Any]:
    takes_body = verb in ("post", "put", "patch")
    codes = [code for code in _REFUSALS if takes_body or code not in _OF_BODIES]
    refusals = {code: {"$ref": f"#/components/responses/{code}"} for code in codes}
    return operation | {"responses": operation["responses"] | refusals}


def _refusal(text: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _tags(paths: Mapping[str, Mapping[str, Any]]) -> Iterable[str]:
    return (tag for operations in paths.values() for one in operations.values() for tag in one["tags"])
