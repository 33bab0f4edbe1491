"""What a model is given of the files that messages have: pictures and PDFs as data, texts as text.

It happens for each request anew and is kept nowhere, so that neither rows nor memory hold a file twice.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from typing import Any, cast

from agent_core.history import Provider
from agent_core.messages import attachment_id
from agent_core.store.files import StoredFile
from agent_core.text_decoding import decode_text

Read = Callable[[Sequence[str]], dict[str, StoredFile]]
"""Files by their ids; those that are not there are missing."""


async def with_files(messages: list[Provider], read: Read) -> list[Provider]:
    """Return the messages with the bytes of the files that they name; the same list if there are none.

    A file that is not there any more becomes a sentence that says so: the thread can still go on.
    """
    wanted = {file_id for message in messages for part in _parts(message) if (file_id := _file_id(part))}
    if not wanted:
        return messages
    return await asyncio.to_thread(lambda: _filled_all(messages, read(sorted(wanted))))


def _filled_all(messages: list[Provider], found: dict[str, StoredFile]) -> list[Provider]:
    return [_filled(message, found) for message in messages]


def _filled(message: Provider, found: dict[str, StoredFile]) -> Provider:
    if not any(_file_id(part) for part in _parts(message)):
        return message
    content = [
        part if (file_id := _file_id(part)) is None else _content(part, found.get(file_id))
        for part in _parts(message)
    ]
    return {**message, "content": content}


def _parts(message: Provider) -> list[dict[str, Any]]:
    content: Any = message.get("content")
    return cast("list[dict[str, Any]]", content) if isinstance(content, list) else []


def _inner(part: dict[str, Any]) -> dict[str, Any]:
    inner: Any = part.get("image_url") or part.get("file")
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}


def _file_id(part: dict[str, Any]) -> str | None:
    inner = _inner(part)
    url = inner.get("url") or inner.get("file_id")
    return attachment_id(url) if isinstance(url, str) else None


def _content(part: dict[str, Any], file: StoredFile | None) -> dict[str, Any]:
    name = str(_inner(part).get("filename") or "file")
    if file is None:
        return {"type": "text", "text": f"[The {name} that stood here is not kept any more.]"}
    if file.media_type.startswith("text/"):
        charset = file.media_type.partition("charset=")[2].split(";")[0].strip(" \"'")
        words = decode_text(file.data, charset) or file.data.decode("utf-8-sig", "replace")
        return {"type": "text", "text": f"<file name={name!r}>\n{words}\n</file>"}
    url = f"data:{file.media_type};base64,{base64.b64encode(file.data).decode()}"
    if file.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "file", "file": {"file_data": url, "format": file.media_type, "filename": name}}
