"""Define threads, messages, parts and updates as values.

The values are independent of the rows that they were read from. Parts are plain JSON dicts in the shapes of the AI SDK v6 `UIMessage`
(https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message), so existing clients can read them.
Input from outside is checked by `agent_core.domain.validation` first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, ClassVar, Literal

from agent_core.support.plain_json import JsonValue

Part = dict[str, Any]
"""One part of a message: text, reasoning, a tool call with its outcome, a file, a source, data."""

Chunk = dict[str, Any]
"""One event of a stream, in the shapes of the AI SDK v6 UI message stream."""

Role = Literal["user", "assistant", "system"]

TOOL_PREFIX = "tool-"
OPEN_TOOL_STATES = frozenset(
    {"input-streaming", "input-available", "approval-requested", "approval-responded"}
)
"""States of a tool part without an outcome."""

TOOL_OUTCOME_STATES = frozenset({"output-available", "output-error", "output-denied"})
"""States of a tool part with an outcome."""


@dataclass(frozen=True, slots=True)
class Thread(JsonValue):
    """An ordered conversation and its status.

    Attributes:
        status: streaming, awaiting_tool_results, completed, failed or stopped.
        seq: the fence of the newest model step.
        retry_state: while a retry waits: attempt, max_attempts, next_at (epoch seconds), error, kind, and
            error_info as below. While no process has the thread's agent, kind is "unknown_agent" and next_at
            None; while a limit or a budget pauses the thread, kind is "limit" or "budget", with scope, budget,
            awaits_room and since (epoch seconds).
        error: the error message of a failed thread, from the provider, the tool or this library.
        error_info: code and params of `error`, as in `AgentCoreError`, if it is an error message of this library.
        cursor: the newest delta; `subscribe` continues from it.
        in_bin: whether the thread is deleted but can be restored; only an `authorization_callback` that reads
            rows sees such a thread.
    """

    _hidden: ClassVar[frozenset[str]] = frozenset({"in_bin"})

    id: str
    status: str
    created_at: datetime
    updated_at: datetime
    title: str | None = None
    user_id: str | None = None
    agent: str = ""
    stop_signal: bool = False
    seq: int = 0
    retry_state: dict[str, Any] | None = None
    error: str | None = None
    error_kind: str | None = None
    pinned: bool = False
    archived: bool = False
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    cursor: int = 0
    in_bin: bool = False
    error_info: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A role and its ordered parts; one assistant message per turn.

    Attributes:
        committed_seq: the newest model step whose parts are included; 0 if there is none.
        branches: ids of the message's versions, oldest first, including its own; empty if it is the only one.
        usage: total usage of its model steps, the fields of `usage.Tally`; None if unknown, and in live
            updates. Attempts whose text was replaced are not included: `api.usage` counts those, too.
        end_reasons: why tool calls of the message failed, an `EndReason` by the call's id.
        error_info: code and params of these calls' errors, by the call's id, for error messages of this library.
    """

    id: str
    thread_id: str
    role: Role
    parts: list[Part]
    created_at: datetime
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    committed_seq: int = 0
    branches: tuple[str, ...] = ()
    usage: dict[str, Any] | None = None
    end_reasons: dict[str, str] = field(default_factory=dict[str, str])
    error_info: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def text(self) -> str:
        """The text parts of the message, without reasoning."""
        return text_of(self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain JSON, moments as ISO 8601 strings."""
        return {
            "id": self.id,
            "thread_id": self.thread_id,
            "role": self.role,
            "parts": self.parts,
            "metadata": self.metadata,
            "created_at": self.created_at.isoformat(),
            "committed_seq": self.committed_seq,
            **({"branches": list(self.branches)} if self.branches else {}),
            **({"end_reasons": self.end_reasons} if self.end_reasons else {}),
            **({"error_info": self.error_info} if self.error_info else {}),
        }


@dataclass(frozen=True, slots=True)
class CommittedMessage(Message):
    """Message that is passed to `on_message_complete` and `on_turn_complete`.

    Attributes:
        finish_reason: why its newest model step ended: stop, tool-calls, length, …
        provider_metadata: metadata of that step from the provider, by provider.
    """

    finish_reason: str = ""
    provider_metadata: dict[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, message: Message, finish_reason: str, provider_metadata: dict[str, Any]) -> CommittedMessage:
        """Return a message with the finish reason and provider metadata of its newest step."""
        known = {each.name: getattr(message, each.name) for each in fields(message)}
        return cls(**known, finish_reason=finish_reason, provider_metadata=provider_metadata)


@dataclass(frozen=True, slots=True)
class SearchHit(JsonValue):
    """A thread whose title, or one of whose messages, contains all words of a search.

    Attributes:
        message_id: the message with the words; None: they are in the title.
        snippet: the words and the text around them, on one line; "" for a title.
    """

    thread: Thread
    message_id: str | None = None
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Update:
    """Update of a thread for its subscribers; `agent_core.streaming.fold.ThreadView` shows how to apply it.

    Attributes:
        type: "snapshot" (the whole thread), "chunks" (new chunks) or "deleted".
        cursor: the cursor to pass to `subscribe` to continue after this update.
        thread: snapshot only.
        messages: snapshot only; committed parts.
        seq: the model step of the chunks; 0 for chunks about the thread.
        message_id: the message of the chunks; None for chunks about the thread.
        chunks: the new chunks; in a snapshot, those of the newest uncommitted stream, merged.
    """

    type: Literal["snapshot", "chunks", "deleted"]
    cursor: int
    thread: Thread | None = None
    messages: Sequence[Message] = ()
    seq: int = 0
    message_id: str | None = None
    chunks: Sequence[Chunk] = ()

    def without_system(self) -> Update:
        """Return the update without system messages."""
        messages = tuple(message for message in self.messages if message.role != "system")
        chunks = tuple(chunk for chunk in self.chunks if not _is_system(chunk))
        return replace(self, messages=messages, chunks=chunks)

    def to_dict(self) -> dict[str, Any]:
        """Return the update as plain JSON."""
        return {
            "type": self.type,
            "cursor": self.cursor,
            "thread": self.thread.to_dict() if self.thread else None,
            "messages": [message.to_dict() for message in self.messages],
            "seq": self.seq,
            "message_id": self.message_id,
            "chunks": list(self.chunks),
        }


def _is_system(chunk: Chunk) -> bool:
    return chunk["type"] == "data-message" and chunk["data"]["role"] == "system"


ATTACHMENT = "attachment:"
"""URL prefix of file parts whose bytes are in the database; the SHA-256 of the bytes follows."""


def attachment_id(url: str) -> str | None:
    """Return the id of the stored file that a URL names; None for any other URL."""
    return url.removeprefix(ATTACHMENT) if url.startswith(ATTACHMENT) else None


_ATTACHED = re.compile(ATTACHMENT + "([0-9a-f]{64})")


def attachments_in(texts: Iterable[str]) -> list[str]:
    """Return the ids of the stored files that JSON texts name, also within outcomes of tools."""
    return sorted({found for text in texts for found in _ATTACHED.findall(text)})


def is_tool_part(part: Part) -> bool:
    """Return whether the part is a tool call."""
    return str(part.get("type", "")).startswith(TOOL_PREFIX)


def tool_name(part: Part) -> str:
    """Return the name of the tool that a tool part calls."""
    return str(part.get("type", "")).removeprefix(TOOL_PREFIX)


def text_of(parts: Sequence[Part]) -> str:
    """Return the text parts, joined by blank lines; reasoning is left out."""
    return "\n\n".join(part["text"] for part in parts if part.get("type") == "text" and part.get("text"))


@dataclass(frozen=True, slots=True)
class Waiting(JsonValue):
    """A tool call that waits for a decision or an outcome from outside.

    Attributes:
        kind: "approval" (`approve_tool_calls`, `deny_tool_calls`) or "outcome" (`add_tool_result`).
        title: the title of the thread.
        name: the name of the tool.
        since: when the model requested the call.
    """

    kind: Literal["approval", "outcome"]
    thread_id: str
    title: str | None
    tool_call_id: str
    name: str
    input: dict[str, Any]
    since: datetime


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A stored file.

    Attributes:
        id: SHA-256 of the bytes.
        media_type: type of the bytes.
        data: the bytes, as they were stored.
        converted: what models get instead, Markdown or a JPEG; empty if the file could not be converted, None if
            it was not tried.
    """

    id: str
    media_type: str
    data: bytes
    converted: bytes | None = None
