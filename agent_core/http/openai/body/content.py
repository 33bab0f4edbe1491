"""Read the contents of messages: text, pictures and files, as parts."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from agent_core.agent import CallContext
from agent_core.domain.messages import Part
from agent_core.http.openai.errors import RequestError
from agent_core.http.requests import is_object, list_of, object_of

if TYPE_CHECKING:
    from agent_core.api import AgentApi

_TEXTS = ("text", "input_text", "output_text", "refusal")
_NO_IDS = "Files are not uploaded beforehand: send the file itself, as a data: URL."


def read_content(content: Any, where: str) -> list[Part]:
    """Return the parts of a message's content, a string or a list; `where` is the parameter.

    Raises:
        RequestError: it has another form.
    """
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    if not isinstance(content, list):
        raise RequestError("A content is a string or a list of parts.", where, code="invalid_type")
    return [_read_part(object_of(part), f"{where}[{place}]") for place, part in enumerate(list_of(content))]


def _read_part(part: Mapping[str, Any], where: str) -> Part:
    kind = part.get("type")
    if kind in _TEXTS:
        text = part.get("refusal" if kind == "refusal" else "text")
        return {"type": "text", "text": _string(text, where, "text")}
    if kind == "image_url":
        given = part.get("image_url")
        return _picture(object_of(given).get("url") if is_object(given) else given, where)
    if kind == "input_image":
        return _picture(part.get("image_url"), where)
    if kind in ("file", "input_file"):
        return _file(part.get("file") if kind == "file" else part, where)
    raise RequestError(
        "A part of a content is text, an image or a file: its type is text, image_url or file in chat "
        "completions, and input_text, output_text, input_image or input_file in responses.",
        where,
        code="invalid_value",
    )


def _picture(url: Any, where: str) -> Part:
    if url is None:
        raise RequestError(_NO_IDS, where, code="unsupported_parameter")
    return _linked(_string(url, where, "image_url"), where, "image/png")


def _file(given: Any, where: str) -> Part:
    fields = object_of(given)
    url = fields.get("file_data") or fields.get("file_url")
    if url is None:
        raise RequestError(_NO_IDS, where, code="unsupported_parameter")
    name = fields.get("filename")
    part = _linked(_string(url, where, "file_data"), where, "application/pdf")
    return part if name is None else part | {"filename": _string(name, where, "filename")}


def _linked(url: str, where: str, default: str) -> Part:
    if url[:5].lower() == "data:":
        kind = url[5:].partition(",")[0].partition(";")[0]
        return {"type": "file", "url": url, "mediaType": kind or default}
    if not url.lower().startswith(("https://", "http://")):
        raise RequestError("Send a data: URL, or an https: URL.", where, code="invalid_value")
    try:
        guessed = mimetypes.guess_type(urlsplit(url).path)[0]
    except ValueError:
        raise RequestError(f"This is not a URL: {url:.60}", where, code="invalid_value") from None
    return {"type": "file", "url": url, "mediaType": guessed or default}


def _string(value: Any, where: str, name: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} must be a string.", where, code="invalid_type")
    return value


async def stored(api: AgentApi, parts: list[Part], ctx: CallContext | None, where: str) -> list[Part]:
    """Return the parts with the bytes of data URLs kept as files.

    Raises:
        RequestError: a data URL cannot be read.
        ValidationError: a file is empty or too large.
    """
    kept: list[Part] = []
    for part in parts:
        if part["type"] == "file" and part["url"][:5].lower() == "data:":
            data = _bytes_of(part["url"], where)
            name = part.get("filename")
            part = await api.add_file(data, media_type=part["mediaType"], filename=name, ctx=ctx)
        kept.append(part)
    return kept


def _bytes_of(url: str, where: str) -> bytes:
    """Return the bytes of a data URL (RFC 2397)."""
    head, comma, body = url.partition(",")
    try:
        if not comma:
            raise ValueError(url)
        data = unquote_to_bytes(body)
        if not head.lower().endswith(";base64"):
            return data
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (ValueError, binascii.Error):
        message = "The data: URL cannot be read; send data:image/png;base64,… or the like."
        raise RequestError(message, where, code="invalid_value") from None
