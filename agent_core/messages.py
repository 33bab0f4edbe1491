"""Threads, messages and their parts, as values.

Values are pure: they know nothing of the rows they were read from, and changing one changes nothing
but itself. Parts are plain JSON dicts in the shapes of the AI SDK v6 `UIMessage`
(https://ai-sdk.dev/docs/reference/ai-sdk-core/ui-message), so existing clients can read them.
`prompt_parts` and `message_parts` are the gate through which everything from outside comes in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, cast

from agent_core.config import MAX_PROMPT_CHARS
from agent_core.errors import ValidationError

Part = dict[str, Any]
"""One part of a message: text, reasoning, a tool call with its outcome, a file, a source, data."""

Chunk = dict[str, Any]
"""One fact of a stream, in the shapes of the AI SDK v6 UI message stream."""

Role = Literal["user", "assistant", "system"]

TOOL_PREFIX = "tool-"
OPEN_TOOL_STATES = frozenset(
    {"input-streaming", "input-available", "approval-requested", "approval-responded"}
)
"""States of a tool part that still waits for its outcome."""

TOOL_OUTCOME_STATES = frozenset({"output-available", "output-error", "output-denied"})
"""States of a tool part that has its outcome."""

MAX_FILE_CHARS: Final = 24_000_000
"""The longest URL of a file part, in characters: a data URL of some 18 MB."""

MAX_DEPTH: Final = 64
"""How deep JSON from outside may be nested; deeper than any real value, far from any stack's end."""


@dataclass(frozen=True, slots=True)
class Thread:
    """An ordered conversation: where it stands.

    Attributes:
        status: streaming, awaiting_tool_results, completed, failed or stopped.
        seq: the fence of the newest model step.
        retry_state: while a retry waits: attempt, max_attempts, next_at (epoch seconds), error, kind.
        error: the provider's or the tool's own words, once the thread has failed.
        cursor: the newest delta; what `subscribe` goes on from.
    """

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

    def to_dict(self) -> dict[str, Any]:
        """Return the thread as plain JSON, moments as ISO 8601 strings."""
        return {
            "id": self.id,
            "status": self.status,
            "title": self.title,
            "user_id": self.user_id,
            "agent": self.agent,
            "stop_signal": self.stop_signal,
            "seq": self.seq,
            "retry_state": self.retry_state,
            "error": self.error,
            "error_kind": self.error_kind,
            "pinned": self.pinned,
            "archived": self.archived,
            "metadata": self.metadata,
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "cursor": self.cursor,
        }


@dataclass(frozen=True, slots=True)
class Message:
    """A role and its ordered parts; one assistant message per turn.

    Attributes:
        committed_seq: the newest model step whose parts stand here; 0 if there is none.
        branches: ids of its alternatives, oldest first, itself among them; none if it is the only one.
        usage: what its model steps used together, the fields of `usage.Tally`; None where nothing is
            known, and in what readers are told live. Attempts whose text was replaced are not among
            it: `api.usage` counts those, too.
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

    @property
    def text(self) -> str:
        """What the message says in words: its text parts, without reasoning."""
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
        }


@dataclass(frozen=True, slots=True)
class Update:
    """What a follower of a thread is told; `agent_core.fold.ThreadView` shows how to read it.

    Attributes:
        type: "snapshot" (all there is), "chunks" (what is new) or "deleted".
        cursor: pass it to `subscribe` to go on after this update.
        thread: snapshot only.
        messages: snapshot only; committed parts.
        seq: the model step the chunks belong to; 0 for facts about the thread.
        message_id: the message the chunks belong to; None for facts about the thread.
        chunks: the new chunks; in a snapshot, those of the newest uncommitted stream, merged.
    """

    type: Literal["snapshot", "chunks", "deleted"]
    cursor: int
    thread: Thread | None = None
    messages: Sequence[Message] = ()
    seq: int = 0
    message_id: str | None = None
    chunks: Sequence[Chunk] = ()

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


def is_tool_part(part: Part) -> bool:
    """Say whether the part is a tool call."""
    return str(part.get("type", "")).startswith(TOOL_PREFIX)


def tool_name(part: Part) -> str:
    """Return the name of the tool that a tool part calls."""
    return str(part.get("type", "")).removeprefix(TOOL_PREFIX)


def text_of(parts: Sequence[Part]) -> str:
    """Return the text parts, joined by blank lines; reasoning is left out."""
    return "\n\n".join(part["text"] for part in parts if part.get("type") == "text" and part.get("text"))


def clean_text(text: str) -> str:
    """Replace what a database or a browser cannot hold (NUL, lone surrogates) by U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:  # UTF-16 joins halves that belong together and finds the lone ones
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: object, *, depth: int = MAX_DEPTH) -> Any:
    """Return a copy of plain JSON with clean text; raise ValidationError for anything else."""
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if depth == 0:
        raise ValidationError(f"The value is nested deeper than {MAX_DEPTH} levels; make it flatter.")
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {clean_text(str(key)): clean_json(item, depth=depth - 1) for key, item in items}
    if isinstance(value, list | tuple):
        return [clean_json(item, depth=depth - 1) for item in cast("Sequence[object]", value)]
    kind = repr(value) if isinstance(value, float) else type(value).__name__
    raise ValidationError(f"{kind} is not JSON; use text, finite numbers, booleans, lists and dicts.")


def prompt_parts(prompt: str | Sequence[Part]) -> list[Part]:
    """Return what a person sends, text or parts of the types text, file, source-url and data-*, cleaned.

    Raises:
        ValidationError: it is blank (no text and no file), too long, or not such parts.
    """
    return message_parts("user", prompt)


def message_parts(role: str, parts: str | Sequence[Part]) -> list[Part]:
    """Return the parts of a message of any role, cleaned and checked like a prompt's.

    Raises:
        ValidationError: as in `prompt_parts`, or the role does not have such parts.
    """
    if role not in _ALLOWED:
        raise ValidationError(f"A message's role is user, assistant or system, not {role!r}.")
    given = [{"type": "text", "text": parts}] if isinstance(parts, str) else parts
    if not isinstance(given, Sequence) or not all(isinstance(part, Mapping) for part in given):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError("A message is text or a list of parts, each a dict with a type.")
    clean = [_clean_part(role, part) for part in given]
    if not any(_has_content(part) for part in clean):
        raise ValidationError("The message is blank; write something or attach a file.")
    return clean


_STRINGS = {
    "text": ("text",),
    "reasoning": ("text",),
    "file": ("url", "mediaType"),
    "source-url": ("sourceId", "url"),
    "source-document": ("sourceId", "mediaType", "title"),
    "step-start": (),
    "tool-": ("toolCallId", "state"),
    "data-": (),
}
"""The kinds of parts, and the keys of each that must be there and hold a string."""

_ALLOWED = {
    "user": {"text", "file", "source-url", "data-"},
    "system": {"text"},
    "assistant": set(_STRINGS),
}
_SCHEMES = {"file": ("data:", "https://", "http://"), "source-url": ("https://", "http://")}
"""What a URL may begin with: a page makes links of them and a model adapter opens them."""


def _clean_part(role: str, part: Mapping[str, Any]) -> Part:
    name = part.get("type")
    kind = _kind(name)
    if kind not in _ALLOWED[role]:
        allowed = ", ".join(sorted(_ALLOWED[role]))
        raise ValidationError(f"A {role} message has no parts of type {name!r}; it has: {allowed}.")
    for key in _STRINGS[kind]:
        if not isinstance(part.get(key), str):
            raise ValidationError(f"A part of type {name!r} needs {key!r}, a string.")
    _check_limits(kind, part)
    return clean_json(part)


def _kind(name: object) -> str:
    """Return the key of `_STRINGS` for a part's type; "" if it has none."""
    if not isinstance(name, str):
        return ""
    for prefix in ("tool-", "data-"):
        if name.startswith(prefix) and len(name) > len(prefix):
            return prefix
    return name if name in _STRINGS and not name.endswith("-") else ""


def _check_limits(kind: str, part: Mapping[str, Any]) -> None:
    if len(part.get("text") or "") > MAX_PROMPT_CHARS:
        raise ValidationError(
            f"The text is longer than {MAX_PROMPT_CHARS:,} characters; shorten or split it."
        )
    if kind in _SCHEMES and not part["url"].lower().startswith(_SCHEMES[kind]):
        raise ValidationError(f"The URL of a {kind} part begins with {' or '.join(_SCHEMES[kind])}.")
    if kind == "file" and len(part["url"]) > MAX_FILE_CHARS:
        raise ValidationError(f"The file is longer than {MAX_FILE_CHARS:,} characters; send a smaller one.")
    if kind == TOOL_PREFIX and part["state"] not in OPEN_TOOL_STATES | TOOL_OUTCOME_STATES:
        raise ValidationError(f"A tool part has no state {part['state']!r}.")


def _has_content(part: Part) -> bool:
    """Say whether a model is told anything by the part."""
    return part["type"] == "file" or is_tool_part(part) or bool(str(part.get("text", "")).strip())
