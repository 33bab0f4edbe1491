"""Define the paths: the endpoint of each, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Schema = dict[str, Any]

IDEMPOTENCY_HEADER = "Idempotency-Key"
THREAD_HEADER = "X-Thread-Id"
HEADERS: Mapping[str, str] = {
    IDEMPOTENCY_HEADER: "Requests with the same key are one turn, and get its answer.",
    THREAD_HEADER: "The thread to continue, as thread_id in metadata.",
}
"""Descriptions of the headers in the OpenAPI document."""
MAX_ITEMS = 100
"""Most items of one page of a list."""

_ITEM_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": MAX_ITEMS, "default": 20}
_FOLLOW: Mapping[str, Schema] = {
    "stream": {"type": "boolean", "description": "Whether to stream the events of the response."},
    "starting_after": {
        "type": "integer",
        "minimum": 0,
        "description": "The sequence_number of the last event; the stream continues after it.",
    },
}
_PAGE: Mapping[str, Schema] = {
    "limit": _ITEM_LIMIT,
    "order": {"enum": ["asc", "desc"], "default": "desc"},
    "after": {"type": "string", "description": "The id of the last item of the page before."},
}


@dataclass(frozen=True, slots=True)
class Path:
    """A verb and path.

    Attributes:
        verb, path: of the request; names in braces are arguments.
        endpoint: group and name of the endpoint.
        tag, summary: of the description.
        answer: name of the answer's schema.
        body: the parameters that the body has.
        query: the schemas of the query's values.
        headers: the headers that it takes.
        streams: whether the answer may be a stream.
    """

    verb: str
    path: str
    endpoint: str
    tag: str
    summary: str
    answer: str
    body: Literal["chat", "responses", "conversation", "metadata", "items"] | None = None
    query: Mapping[str, Schema] | None = None
    headers: tuple[str, ...] = ()
    streams: bool = False


_MODELS, _CHAT, _RESPONSES = "Models", "Chat completions", "Responses"
_RESPONSE = "/responses/{response_id}"
_CONVERSATIONS = "Conversations"
_CONVERSATION = "/conversations/{conversation_id}"

PATHS = (
    Path("GET", "/models", "models.list", _MODELS, "Return the agents as models.", "ModelList"),
    Path("GET", "/models/{model}", "models.get", _MODELS, "Return an agent as a model.", "Model"),
    Path(
        *("POST", "/chat/completions", "completions.post", _CHAT),
        "Begin a turn, and return its answer once it is complete or as a stream.",
        "ChatCompletion",
        body="chat",
        headers=(IDEMPOTENCY_HEADER, THREAD_HEADER),
        streams=True,
    ),
    Path(
        *("POST", "/responses", "responses.post", _RESPONSES),
        "Begin a response, or answer the tool calls that one waits for.",
        "Response",
        body="responses",
        headers=(IDEMPOTENCY_HEADER,),
        streams=True,
    ),
    Path(
        *("GET", _RESPONSE, "responses.get", _RESPONSES),
        "Return a response as it is now, or stream it from its beginning or after an event.",
        "Response",
        query=_FOLLOW,
        streams=True,
    ),
    Path(
        *("GET", f"{_RESPONSE}/input_items", "responses.input_items", _RESPONSES),
        "Return the items that a response answers, those of earlier responses included.",
        "ItemList",
        query=_PAGE,
    ),
    Path(
        *("POST", f"{_RESPONSE}/cancel", "responses.cancel", _RESPONSES),
        "Stop the turn of a response, unless it has ended.",
        "Response",
    ),
    Path(
        *("DELETE", _RESPONSE, "responses.delete", _RESPONSES),
        "Delete the thread of a response that is its only one.",
        "DeletedResponse",
    ),
    Path(
        *("POST", "/conversations", "conversations.create", _CONVERSATIONS),
        "Create a thread with messages, without a turn.",
        "Conversation",
        body="conversation",
        headers=(IDEMPOTENCY_HEADER,),
    ),
    Path(
        *("GET", _CONVERSATION, "conversations.get", _CONVERSATIONS),
        "Return a thread as a conversation.",
        "Conversation",
    ),
    Path(
        *("POST", _CONVERSATION, "conversations.update", _CONVERSATIONS),
        "Replace the metadata of a conversation.",
        "Conversation",
        body="metadata",
    ),
    Path(
        *("DELETE", _CONVERSATION, "conversations.delete", _CONVERSATIONS),
        "Delete the thread of a conversation.",
        "DeletedConversation",
    ),
    Path(
        *("GET", f"{_CONVERSATION}/items", "conversations.items", _CONVERSATIONS),
        "Return the items of a conversation.",
        "ItemList",
        query=_PAGE,
    ),
    Path(
        *("POST", f"{_CONVERSATION}/items", "conversations.add", _CONVERSATIONS),
        "Store messages at the end of a conversation, without a turn.",
        "ItemList",
        body="items",
        headers=(IDEMPOTENCY_HEADER,),
    ),
    Path(
        *("GET", f"{_CONVERSATION}/items/{{item_id}}", "conversations.item", _CONVERSATIONS),
        "Return an item of a conversation.",
        "Item",
    ),
)
