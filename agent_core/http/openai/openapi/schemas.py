"""JSON Schemas of OpenAI's paths: bodies from the table of parameters, and the objects in answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from agent_core.http.openai.body.asks import MAX_TOOLS
from agent_core.http.openai.body.parameters import (
    CHAT_IGNORED,
    CHAT_USED,
    REFUSED,
    RESPONSES_IGNORED,
    RESPONSES_USED,
)

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_OBJECT: Schema = {"type": "object"}
_LIST: Schema = {"type": "array", "items": _OBJECT}


def _nullable(schema: Schema) -> Schema:
    kept = {key: value for key, value in schema.items() if key != "description"}
    about = {"description": schema["description"]} if "description" in schema else {}
    return {"anyOf": [kept, {"type": "null"}]} | about


def _of(required: Schema, optional: Schema | None = None) -> Schema:
    """Return the schema of an object with fields that are always there, and others."""
    return {"type": "object", "required": list(required), "properties": required | (optional or {})}


_CONTENT: Schema = {
    "anyOf": [
        _TEXT,
        {
            "type": "array",
            "items": _of({"type": _TEXT}, {"text": _TEXT}),
            "description": "Parts: text, images and files.",
        },
        {"type": "null"},
    ]
}
_MESSAGE: Schema = _of(
    {"role": {"enum": ["system", "developer", "user", "assistant", "tool"]}},
    {"content": _CONTENT, "tool_calls": _nullable(_LIST), "tool_call_id": _nullable(_TEXT)},
)
_FORMAT: Schema = _of({"type": {"enum": ["text", "json_object", "json_schema"]}})
_METADATA: Schema = {"type": "object", "additionalProperties": _TEXT}
_CHOICES: Schema = {"enum": ["auto", "none", "required"]}
_ASKS: dict[str, Schema] = {
    "tools": {
        "type": "array",
        "maxItems": MAX_TOOLS,
        "items": {"type": "object", "required": ["type"], "properties": {"type": {"const": "function"}}},
        "description": "Functions that the client runs; their calls are in the answer.",
    },
    "tool_choice": {
        "anyOf": [_CHOICES, _of({"type": {"const": "function"}})],
        "description": "Whether the client's tools are called, or which one.",
    },
    "parallel_tool_calls": {"type": "boolean", "description": "Whether one answer may call several tools."},
    "response_format": _FORMAT | {"description": "The form of the answer, which is checked."},
    "text": _of({}, {"format": _nullable(_FORMAT)})
    | {"description": "The form of the answer, which is checked."},
}
_USED: dict[str, Schema] = {
    "model": _TEXT | {"description": "The name of an agent; by default the thread's, or the first one."},
    "messages": {
        "type": "array",
        "items": _MESSAGE,
        "minItems": 1,
        "description": "The last is the user's, or a tool's.",
    },
    "input": {"anyOf": [_TEXT, _LIST], "description": "A message, or items."},
    "instructions": _TEXT | {"description": "Follow the agent's own instructions; they begin a thread."},
    "stream": {"type": "boolean", "description": "Whether to answer with events."},
    "stream_options": _of({}, {"include_usage": {"type": ["boolean", "null"]}}),
    "metadata": _METADATA | {"description": "For chat completions, thread_id is the thread to continue."},
    "store": {"type": "boolean", "description": "false deletes the thread once its answer is delivered."},
    "background": {"type": "boolean", "description": "Whether to answer at once."},
    "previous_response_id": _TEXT | {"description": "The response that this one follows."},
    "conversation": {"anyOf": [_TEXT, _of({"id": _TEXT})], "description": "The thread to continue."},
    **_ASKS,
}
_IGNORED: Schema = {"description": "Ignored: the agent's own options hold."}


def _body(required: str, used: Collection[str], ignored: Collection[str]) -> Schema:
    fields = {name: schema if name == required else _nullable(schema) for name, schema in _USED.items()}
    return {
        "type": "object",
        "required": [required],
        "additionalProperties": False,
        "properties": {
            **{name: schema for name, schema in fields.items() if name in used},
            **dict.fromkeys(sorted(ignored), _IGNORED),
            **{
                name: {"enum": [*refused.neutral, None], "description": refused.advice}
                for name, refused in REFUSED.items()
                if name not in ignored
            },
        },
    }


def _closed(required: Schema, optional: Schema | None = None) -> Schema:
    return _of(required, optional) | {"additionalProperties": False}


_ITEMS: Schema = {
    "type": "array",
    "maxItems": 20,
    "items": _OBJECT,
    "description": "Messages, and tool calls.",
}
BODIES: dict[str, Schema] = {
    "chat": _body("messages", CHAT_USED, CHAT_IGNORED),
    "responses": _body("input", RESPONSES_USED, RESPONSES_IGNORED),
    "conversation": _closed({}, {"items": _nullable(_ITEMS), "metadata": _nullable(_METADATA)}),
    "metadata": _closed({}, {"metadata": _nullable(_METADATA)}),
    "items": _closed({"items": _ITEMS}),
}

_MODEL = _of({"id": _TEXT, "object": {"const": "model"}, "created": {"type": "integer"}, "owned_by": _TEXT})
_CHAT_USAGE = _of(
    {
        **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), _COUNT),
        "prompt_tokens_details": _of({"cached_tokens": _COUNT}),
        "completion_tokens_details": _of({"reasoning_tokens": _COUNT}),
    }
)
_CHAT_MESSAGE = _of(
    {"role": {"const": "assistant"}, "content": _nullable(_TEXT), "refusal": {"type": "null"}},
    {
        "reasoning_content": _TEXT,
        "tool_calls": _LIST | {"description": "Calls of the client's tools."},
        "server_tool_calls": _LIST | {"description": "Tool calls that ran on the server."},
        "annotations": _LIST,
    },
)
_CHOICE = _of(
    {
        **{"index": {"const": 0}, "message": _CHAT_MESSAGE, "logprobs": {"type": "null"}},
        "finish_reason": {"enum": ["stop", "length", "content_filter", "tool_calls"]},
    }
)
_USAGE = _of(
    {
        **dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), _COUNT),
        "input_tokens_details": _of(dict.fromkeys(("cached_tokens", "cache_write_tokens"), _COUNT)),
        "output_tokens_details": _of({"reasoning_tokens": _COUNT}),
    }
)
_RESPONSE = _of(
    {
        **{"id": _TEXT, "object": {"const": "response"}, "created_at": {"type": "integer"}},
        "status": {"enum": ["in_progress", "completed", "incomplete", "cancelled", "failed"]},
        "background": {"type": "boolean"},
        "error": _nullable(_of({"code": _TEXT, "message": _TEXT})),
        "incomplete_details": _nullable(_of({"reason": _TEXT})),
        "instructions": {"type": "null"},
        **{"metadata": _METADATA, "model": _TEXT, "output": _LIST},
        "previous_response_id": _nullable(_TEXT),
        "conversation": _of({"id": _TEXT}),
        "store": {"type": "boolean"},
        "text": _of({"format": _FORMAT}),
        **{"tools": _LIST, "tool_choice": {"const": "auto"}, "parallel_tool_calls": {"const": True}},
        **{"temperature": {"type": "null"}, "top_p": {"type": "null"}, "truncation": {"const": "disabled"}},
        "usage": _nullable(_USAGE),
    }
)
ANSWERS: dict[str, Schema] = {
    "Model": _MODEL | {"description": "An agent."},
    "ModelList": _of({"object": {"const": "list"}, "data": {"type": "array", "items": _MODEL}}),
    "ChatCompletion": _of(
        {
            **{"id": _TEXT, "object": {"const": "chat.completion"}, "created": {"type": "integer"}},
            **{"model": _TEXT, "choices": {"type": "array", "items": _CHOICE, "minItems": 1, "maxItems": 1}},
            **{"usage": _CHAT_USAGE, "thread_id": _TEXT, "metadata": _nullable(_METADATA)},
        }
    ),
    "Response": _RESPONSE,
    "ItemList": _of(
        {
            **{"object": {"const": "list"}, "data": _LIST},
            **{"first_id": _nullable(_TEXT), "last_id": _nullable(_TEXT), "has_more": {"type": "boolean"}},
        }
    ),
    "Item": _OBJECT | {"description": "A message, reasoning, or a tool call."},
    "Conversation": _of(
        {
            **{"id": _TEXT, "object": {"const": "conversation"}, "created_at": {"type": "integer"}},
            "metadata": _METADATA,
        }
    ),
    "DeletedConversation": _of(
        {"id": _TEXT, "object": {"const": "conversation.deleted"}, "deleted": {"const": True}}
    ),
    "DeletedResponse": _of({"id": _TEXT, "object": {"const": "response"}, "deleted": {"const": True}}),
    "OpenAIError": _of(
        {
            "error": _of(
                {
                    "message": _TEXT | {"description": "A sentence for people."},
                    **{"type": _TEXT, "param": _nullable(_TEXT)},
                    "code": _nullable(_TEXT) | {"description": "Stable."},
                }
            )
        }
    ),
}
