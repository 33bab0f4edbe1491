"""Put the files of messages into a request, and store the files of an answer like uploads.

Pictures and PDFs are sent as data, texts as text, converted documents as what they were converted to. Files are read again for each request, so that neither rows
nor memory hold a file twice. A file that the model has refused is sent again only in the turn of the message
that has it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from agent_core.domain.field_limits import MAX_FILE_BYTES
from agent_core.domain.messages import ATTACHMENT, Chunk, Part, StoredFile, attachment_id
from agent_core.domain.model_adapter import ProviderMessage
from agent_core.errors import ModelError
from agent_core.store.database.writer import Writer
from agent_core.store.turns import steps
from agent_core.store.turns.claims import Claim
from agent_core.support.plain_json import fields_of, items_of
from agent_core.text.conversion import converted_type
from agent_core.text.decoding import decode_text

Read = Callable[[Sequence[str]], dict[str, StoredFile]]
"""Returns files by their ids; ids without a file are left out."""

MAX_FILES = 100
"""Most files of one answer."""

_TEXTS = ("text/", "application/json", "application/xml", "application/yaml", "application/x-yaml")
_SHOWN_WORDS = 200  # characters of a provider's refusal that the model is shown
_KINDS = ("image_url", "file")


@dataclass(frozen=True, slots=True)
class HistoryFiles:
    """A history with the bytes of its files, and the ids of these files.

    Attributes:
        messages: the history.
        fresh: files of the person's newest message.
        unanswered: files of earlier messages whose turn failed.
        older: all other files, those of tool outcomes included.
        retried: fresh files that the model has refused before.
    """

    messages: list[ProviderMessage]
    fresh: set[str] = field(default_factory=set[str])
    unanswered: set[str] = field(default_factory=set[str])
    older: set[str] = field(default_factory=set[str])
    retried: set[str] = field(default_factory=set[str])


def has_files(messages: Sequence[ProviderMessage]) -> bool:
    """Return whether any message has a file."""
    return any(part.get("type") in _KINDS for message in messages for part in _parts(message))


def with_files(
    messages: list[ProviderMessage], read: Read, refused: Mapping[str, str], model: str
) -> HistoryFiles:
    """Return the messages (in the form of `to_provider`) with the bytes of their files; blocks while it reads.

    A file that is gone, or that the model has refused, is replaced by a sentence, so that the thread can go on.
    `refused` has the words of the model's refusals, by the files' ids.
    """
    wanted = {file_id for message in messages for part in _parts(message) if (file_id := _attached(part))}
    found = read(sorted(wanted)) if wanted else {}
    history = HistoryFiles([])
    newest = max((n for n, message in enumerate(messages) if message.get("role") == "user"), default=-1)
    for place, message in enumerate(messages):
        where = _where(messages, place, newest, history)
        content: list[ProviderMessage] = []
        for part in _parts(message):
            file_id = _file_id_of(part)
            if file_id and file_id in refused and where is not history.fresh:
                content.append(_left_out(part, model, refused[file_id]))
                continue
            content.append(_content(part, found))
            if file_id and content[-1].get("type") in _KINDS:
                where.add(file_id)
        history.messages.append({**message, "content": content} if content else message)
    history.retried.update(history.fresh & refused.keys())
    return history


def _where(messages: Sequence[ProviderMessage], place: int, newest: int, history: HistoryFiles) -> set[str]:
    """Return the set to which the files of a message belong."""
    if place == newest:
        return history.fresh
    following = next((m.get("role") for m in messages[place + 1 :] if m.get("role") != "system"), None)
    is_unanswered = messages[place].get("role") == "user" and following == "user"
    return history.unanswered if is_unanswered else history.older


def _file_id_of(part: ProviderMessage) -> str | None:
    """Return the id of a part's file: the SHA-256 of its bytes if it is stored, else of its URL."""
    url = _url(part)
    if url is None:
        return None
    return attachment_id(url) or hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()


def _parts(message: ProviderMessage) -> list[ProviderMessage]:
    return items_of(message.get("content"))


def _inner(part: ProviderMessage) -> ProviderMessage:
    return fields_of(part.get("image_url") or part.get("file"))


def _url(part: ProviderMessage) -> str | None:
    inner = _inner(part)
    url = inner.get("url") or inner.get("file_id") or inner.get("file_data")
    return url if isinstance(url, str) else None


def _attached(part: ProviderMessage) -> str | None:
    url = _url(part)
    return attachment_id(url) if url else None


def _left_out(part: ProviderMessage, model: str, words: str) -> ProviderMessage:
    words = words if len(words) <= _SHOWN_WORDS else f"{words[:_SHOWN_WORDS]}…"
    what = (
        "picture" if part.get("type") == "image_url" else f"file {_inner(part).get('filename') or ''}".strip()
    )
    return {"type": "text", "text": f"[A {what} was left out here: {model} refused it. It said: {words}]"}


def _content(part: ProviderMessage, found: Mapping[str, StoredFile]) -> ProviderMessage:
    url = _url(part)
    if url is None:
        return part
    name = str(_inner(part).get("filename") or "file")
    file_id = attachment_id(url)
    if file_id is None:
        inlined = _from_data_url(url)
        return part if inlined is None or not _is_text(inlined) else _as_text(inlined, name)
    file = found.get(file_id)
    if file is None:
        return {"type": "text", "text": f"[The attached {name} is no longer stored.]"}
    if file.converted is not None:
        if not file.converted:
            return {"type": "text", "text": f"[The attached {name} cannot be read.]"}
        kind = converted_type(file.media_type) or "text/plain"
        file = replace(file, media_type=kind, data=file.converted)
    if _is_text(file):
        return _as_text(file, name)
    url = f"data:{file.media_type};base64,{base64.b64encode(file.data).decode()}"
    if file.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_data": url, "format": file.media_type, "filename": name}}


def _is_text(file: StoredFile) -> bool:
    media_type = file.media_type.lower()
    kind = media_type.partition(";")[0].strip()
    return media_type.startswith(_TEXTS) or kind.endswith(("+json", "+xml"))


def _as_text(file: StoredFile, name: str) -> ProviderMessage:
    charset = file.media_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    words = decode_text(file.data, charset) or file.data.decode("utf-8-sig", "replace")
    return {"type": "text", "text": f"<file name={name!r}>\n{words}\n</file>"}


def _from_data_url(url: str) -> StoredFile | None:
    """Read a data URL (RFC 2397); None if it is not one, or is malformed."""
    if url[:5].lower() != "data:" or "," not in url:
        return None
    head, _, body = url[5:].partition(",")
    kind, is_base64 = head, head.lower().endswith(";base64")
    if is_base64:
        kind = head[: -len(";base64")]
    try:
        data = unquote_to_bytes(body)
        if is_base64:
            data = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None
    return StoredFile("", kind or "text/plain", data)


class ResponseFiles:
    """The files of one answer: stored, with their addresses in its parts."""

    def __init__(self, writer: Writer, claim: Claim) -> None:
        self._writer = writer
        self._claim = claim
        self._stored: dict[str, str] = {}  # the address of each stored file, by its data URL

    async def store(self, chunk: Chunk) -> Chunk:
        """Store the file of a chunk that has a data URL; return the chunk with the file's address.

        Raises:
            ModelError: the file cannot be decoded or is too large, or there are too many.
        """
        url = chunk.get("url")
        if chunk.get("type") != "file" or not isinstance(url, str) or not url.startswith("data:"):
            return chunk
        if url not in self._stored:
            if len(self._stored) == MAX_FILES:
                raise ModelError(f"The model answered with more than {MAX_FILES} files.")
            data = await asyncio.to_thread(_bytes_of, url)
            file = StoredFile(hashlib.sha256(data).hexdigest(), str(chunk["mediaType"]), data)
            await self._writer.run(steps.keep_file, self._claim, file)
            self._stored[url] = ATTACHMENT + file.id
        return {**chunk, "url": self._stored[url]}

    def with_stored_urls(self, parts: list[Part]) -> list[Part]:
        """Return the step's parts with the addresses of the stored files."""
        if not self._stored:
            return parts
        return [
            {**part, "url": self._stored[part["url"]]} if part.get("url") in self._stored else part
            for part in parts
        ]


def _bytes_of(url: str) -> bytes:
    head, _, text = url.partition(",")
    if len(text) > 4 * MAX_FILE_BYTES // 3 + 4:
        raise ModelError(f"The model answered with a file of more than {MAX_FILE_BYTES:,} bytes.")
    try:
        if not head.endswith(";base64") or not (data := base64.b64decode(text)):
            raise ValueError("no base64")
    except (binascii.Error, ValueError) as error:
        raise ModelError(
            "The model answered with a file that cannot be read.", kind="truncated", retryable=True
        ) from error
    return data
