"""Describe the paths that are not in the table, because they stream, or speak the protocol of a client."""

from __future__ import annotations

from typing import Any

_THREAD = {"name": "thread_id", "in": "path", "required": True, "schema": {"type": "string"}}
_CURSOR = {"type": "integer", "minimum": 0}
EVENTS: dict[str, Any] = {
    "text/event-stream": {"schema": {"description": "Server-sent events; the data of each is JSON."}}
}
_MESSAGE = {
    "type": "object",
    "required": ["id", "role", "parts"],
    "properties": {
        "id": {"type": "string"},
        "role": {"enum": ["user", "assistant", "system"]},
        "parts": {"type": "array", "items": {"type": "object"}},
        "metadata": {"type": ["object", "null"]},
    },
}
_AI_SDK = "AI SDK"

EXTRA_PATHS: dict[str, dict[str, Any]] = {
    "/threads/{thread_id}/events": {
        "get": {
            "operationId": "subscribe",
            "tags": ["Threads"],
            "summary": "Follow a thread as server-sent events: a snapshot, then every update.",
            "description": "`event` is snapshot, chunks or deleted, `data` the update as JSON, `id` its cursor. "
            "With the last cursor in Last-Event-ID, or in the query, only later updates are sent, each once.",
            "parameters": [
                _THREAD,
                {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}},
                {"name": "cursor", "in": "query", "schema": _CURSOR},
                {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}},
            ],
            "responses": {"200": {"description": "Events, until the client leaves.", "content": EVENTS}},
        }
    },
    "/chat": {
        "post": {
            "operationId": "chat",
            "tags": [_AI_SDK],
            "summary": "Send the last message of an AI SDK client, and stream its turn.",
            "description": "The request of DefaultChatTransport; other fields are ignored.",
            "parameters": [{"name": "x-ai-sdk", "in": "header", "schema": {"type": "string"}}],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["id", "messages"],
                            "properties": {
                                "id": {"type": "string", "description": "The thread's id."},
                                "messages": {"type": "array", "minItems": 1, "items": _MESSAGE},
                                "trigger": {"enum": ["submit-message", "regenerate-message", None]},
                                "messageId": {"type": ["string", "null"]},
                                "when_busy": {"enum": ["reject", "interrupt", "end_wait", None]},
                            },
                        }
                    }
                },
            },
            "responses": {"200": {"description": "Chunks of the reply.", "content": EVENTS}},
        }
    },
    "/chat/{thread_id}": {
        "get": {
            "operationId": "get_chat",
            "tags": [_AI_SDK],
            "summary": "Return the messages of a thread for the first render of a client.",
            "parameters": [_THREAD],
            "responses": {
                "200": {
                    "description": "Done.",
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "object",
                                "required": ["id", "status", "messages"],
                                "properties": {
                                    "id": {"type": "string"},
                                    "status": {"type": "string"},
                                    "messages": {"type": "array", "items": _MESSAGE},
                                },
                            }
                        }
                    },
                }
            },
        }
    },
    "/chat/{thread_id}/stream": {
        "get": {
            "operationId": "resume_chat",
            "tags": [_AI_SDK],
            "summary": "Stream the turn in progress from its beginning.",
            "parameters": [_THREAD],
            "responses": {
                "200": {"description": "Chunks of the reply.", "content": EVENTS},
                "204": {"description": "No turn is in progress, or it waits for a person."},
            },
        }
    },
}
