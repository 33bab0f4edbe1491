"""Export a thread as a document of plain JSON, and import a document as a new thread.

    {"format": "agent_core.thread", "version": 1,
     "thread": {"title", "agent", "metadata", "created_at", "updated_at"},
     "messages": [{"id", "role", "parts", "metadata", "created_at"}, …],
     "signatures": [{"message": 1, "part": 0, "providerMetadata": {…}}, …],
     "files": {"<SHA-256>": {"mediaType", "data": "<base64>"}, "<a deleted file>": null, …}}

Parts have the form that every reader gets. Signatures of providers are separate, so that a document can be passed
on without them. A document comes from outside, so everything in it is checked.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeVar, cast

from agent_core.agent import CallContext
from agent_core.api.base import (
    ApiBase,
    checked_media_type,
    checked_metadata,
    checked_title,
    message_metadata,
    user_of,
)
from agent_core.domain.field_limits import (
    MAX_FILE_BYTES,
    MAX_MESSAGE,
    MAX_MESSAGES,
    check_count,
    check_json,
)
from agent_core.domain.messages import (
    OPEN_TOOL_STATES,
    Message,
    Part,
    StoredFile,
    Thread,
    attachments_in,
    is_tool_part,
)
from agent_core.domain.signatures import METADATA, exported, imported, without_metadata
from agent_core.domain.validation import clean_json, exported_parts
from agent_core.errors import ValidationError
from agent_core.store.threads.messages import NewMessage
from agent_core.store.threads.thread_row import without_token
from agent_core.store.turns import imports
from agent_core.support.faults import crash_point
from agent_core.support.ids import new_id

_FORMAT: Final = "agent_core.thread"
_VERSION: Final = 1
NOT_FINISHED: Final = "This call was not finished when the thread was exported."
"""Error of a call that was open when its thread was exported."""

Json = dict[str, Any]
K = TypeVar("K")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True, slots=True)
class _Document:
    """Checked contents of a document.

    Attributes:
        agent: the name of the thread's agent, which may be unknown here.
        messages: each with new ids, and the time when it was written, in seconds since the epoch.
        files: the files that the messages name and the document has.
    """

    title: str | None
    agent: str
    metadata: Json
    messages: list[tuple[NewMessage, float]]
    files: list[StoredFile]


class DocumentMethods(ApiBase):
    """Methods that export and import threads."""

    _takes_system: ClassVar[bool] = True

    async def export_thread(
        self, thread_id: str, *, signatures: bool = False, ctx: CallContext | None = None
    ) -> dict[str, Any]:
        """Return a thread as plain JSON, from which `import_thread` creates an equal one in any database.

        The document has the committed content of the shown messages and the bytes of their files, without the token
        of a share link; `agent_core.api.thread_documents` describes its form. System messages are left out where
        readers do not get them.

        Args:
            signatures: whether the document has the data that providers must see again. Use it to move a thread
                between databases, and never give such a document to a reader. HTTP and the page do not use it.

        Raises:
            ThreadNotFoundError: there is no such thread.
        """
        thread = await self._open(ctx, thread_id)
        messages, files = await asyncio.to_thread(self.store.reads.exported, thread_id)
        return await asyncio.to_thread(
            write_document, thread, self._shown(messages), files, signatures=signatures
        )

    async def import_thread(
        self, document: dict[str, Any], *, signatures: bool = False, ctx: CallContext | None = None
    ) -> Thread:
        """Create an idle thread from a document of `export_thread`.

        The thread and its messages get new ids; the messages keep their times. Open calls have failed. The agent
        is the document's if it is registered, else the agent of this API.

        Args:
            document: the document; it may come from anywhere.
            signatures: whether to import the document's signatures. A signature that its provider rejects is
                deleted, and the thread continues without it. Without signatures, the model reads the thread like
                one that another model wrote.
            ctx: the caller, who owns the thread.

        Raises:
            ValidationError: it is not such a document, has another version or a system message, which only the
                internal API accepts, or something in it is invalid; nothing was created.
        """
        owner = user_of(ctx)
        read = await asyncio.to_thread(
            read_document, document, takes_system=self._takes_system, signatures=signatures
        )
        thread_id = new_id("thread")
        await self.store.writer.run_for(
            thread_id,
            imports.store,
            thread_id,
            agent=read.agent if read.agent in self.store.agents else self.agent.name,
            title=read.title,
            user_id=owner,
            metadata=read.metadata,
            messages=read.messages,
            attached=read.files,
        )
        crash_point("send.after")
        return await self._thread(thread_id)


def write_document(
    thread: Thread, messages: Sequence[Message], files: Mapping[str, StoredFile], *, signatures: bool
) -> Json:
    """Return a thread as a document.

    Args:
        messages: the shown messages, with their signatures.
        files: the files that the messages name, by their ids, except deleted ones.
        signatures: whether the document has the signatures.
    """
    named = attachments_in(json.dumps(message.parts) for message in messages)
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "thread": {
            "title": thread.title,
            "agent": thread.agent,
            "metadata": without_token(thread.metadata),
            "created_at": thread.created_at.isoformat(),
            "updated_at": thread.updated_at.isoformat(),
        },
        "messages": [_message_document(message) for message in messages],
        "signatures": [
            {"message": place, "part": number, METADATA: exported(part[METADATA])}
            for place, message in enumerate(messages)
            for number, part in enumerate(message.parts)
            if signatures and METADATA in part
        ],
        "files": {file_id: _file_document(files.get(file_id)) for file_id in named},
    }


def _message_document(message: Message) -> Json:
    return {
        "id": message.id,
        "role": message.role,
        "parts": without_metadata(message.parts),
        "metadata": {key: value for key, value in message.metadata.items() if key != "queued"},
        "created_at": message.created_at.isoformat(),
    }


def _file_document(file: StoredFile | None) -> Json | None:
    if file is None:
        return None
    return {"mediaType": file.media_type, "data": base64.b64encode(file.data).decode()}


def read_document(document: Json, *, takes_system: bool, signatures: bool) -> _Document:
    """Read a document of `write_document`; unknown fields are ignored.

    Args:
        takes_system: whether it may have system messages.
        signatures: whether to read its signatures.

    Raises:
        ValidationError: it is not such a document, or something in it is invalid.
    """
    if document.get("format") != _FORMAT:
        raise ValidationError(f"The document is not an exported thread: its format is not {_FORMAT!r}.")
    version = document.get("version")
    if type(version) is not int or version != _VERSION:
        raise ValidationError(
            f"The document has the version {version!r:.40}; this program reads version {_VERSION}."
        )
    thread = _field(document, "thread", dict[str, Any]())
    agent = thread.get("agent")
    given = _field(document, "messages", list[Any]())
    check_count("messages", given, MAX_MESSAGES)
    signed = _signatures(_field(document, "signatures", list[Any](), needed=False)) if signatures else {}
    messages = [
        _message(_object(message, "message"), signed.pop(place, {}), takes_system)
        for place, message in enumerate(given)
    ]
    if signed:
        raise ValidationError(f"A signature names the message {next(iter(signed))}, which does not exist.")
    return _Document(
        checked_title(thread.get("title")),
        agent if isinstance(agent, str) else "",
        checked_metadata(thread.get("metadata")),
        messages,
        _files(_field(document, "files", dict[str, Any](), needed=False), messages),
    )


def _field(given: Json, name: str, kind: K, *, needed: bool = True) -> K:
    """Return a field of the type of `kind`; unless it is needed, `kind` is its default."""
    value = given.get(name)
    if value is None and not needed:
        return kind
    if not isinstance(value, type(kind)):
        words = "a list" if isinstance(kind, list) else "an object" if isinstance(kind, dict) else "a string"
        raise ValidationError(f"The field {name!r} of the document must be {words}.")
    return value


def _object(given: Any, what: str) -> Json:
    if not isinstance(given, dict):
        raise ValidationError(f"A {what} of the document is an object.")
    return cast(Json, given)


def _signatures(given: list[Any]) -> dict[int, dict[int, Json]]:
    """Return the signatures by the numbers of their messages and parts."""
    found: dict[int, dict[int, Json]] = {}
    for one in given:
        signature = _object(one, "signature")
        place, number = signature.get("message"), signature.get("part")
        if type(place) is not int or type(number) is not int:
            raise ValidationError("A signature names its message and its part by number, from 0.")
        found.setdefault(place, {})[number] = _field(signature, METADATA, dict[str, Any]())
    return found


def _message(given: Json, signed: dict[int, Json], takes_system: bool) -> tuple[NewMessage, float]:
    role = given.get("role")
    if role not in ("user", "assistant", "system"):
        raise ValidationError(f"A message's role is user, assistant or system, not {role!r:.60}.")
    if role == "system" and not takes_system:
        raise ValidationError("A system message cannot be imported here: it would instruct the model.")
    parts = [_finished(part) for part in exported_parts(role, given.get("parts"))]
    if any(not 0 <= number < len(parts) for number in signed) or (signed and role != "assistant"):
        raise ValidationError("A signature names a part that does not exist, or that no model has written.")
    for number, metadata in signed.items():
        if (kept := imported(clean_json(metadata))) is not None:
            parts[number] = parts[number] | {METADATA: kept}
    check_json("The message", parts, MAX_MESSAGE)
    new = NewMessage(new_id("msg"), role, parts, message_metadata(given.get("metadata")))
    return new, _moment(given.get("created_at"))


def _finished(part: Part) -> Part:
    """Return a complete part: an open call has failed."""
    if is_tool_part(part) and part["state"] in OPEN_TOOL_STATES:
        return part | {"state": "output-error", "errorText": NOT_FINISHED}
    return part | {"state": "done"} if part.get("state") == "streaming" else part


def _moment(given: Any) -> float:
    try:
        when = datetime.fromisoformat(given)
        seconds = (when if when.tzinfo is not None else when.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds < _LATEST:
        raise ValidationError(f"{given!r:.60} is not a moment; created_at is one in ISO 8601.")
    return seconds


def _files(given: Json, messages: Sequence[tuple[NewMessage, float]]) -> list[StoredFile]:
    named = attachments_in(json.dumps(message.parts) for message, _ in messages)
    return [
        _file(file_id, _object(given[file_id], "file")) for file_id in named if given.get(file_id) is not None
    ]


def _file(file_id: str, given: Json) -> StoredFile:
    text = _field(given, "data", "")
    if len(text) > MAX_FILE_BYTES // 3 * 4 + 4:
        raise ValidationError(f"A file has 1 to {MAX_FILE_BYTES:,} bytes.")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if not data or hashlib.sha256(data).hexdigest() != file_id:
        raise ValidationError(
            f"The data of the file {file_id:.12}… does not match its id; the file is damaged."
        )
    return StoredFile(file_id, checked_media_type(_field(given, "mediaType", "")), data)
