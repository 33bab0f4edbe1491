"""Routes that upload and download files, and export and import threads.

Reflex's own upload would store files outside of the database. A page uploads a file as soon as it is chosen,
and the message then refers to it. A served file cannot run scripts: pictures are shown inline, all others are
downloaded, and browsers must not sniff media types.
"""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote, unquote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent_core import AgentApi
from agent_core.domain.messages import StoredFile
from agent_core.errors import AccessDeniedError, AgentCoreError, ValidationError
from agent_core.http import body_of, read_body
from agent_core.text.conversion import converted_type, convertible
from chat_app.extensions import caller
from chat_app.files.file_types import MAX_BYTES, PICTURES, SHOWN, kind_of, plain_name
from chat_app.plain_text import file_name
from chat_app.session.bound_api import bind_api
from chat_app.session.service import service

_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, max-age=31536000, immutable",  # a file's content never changes
}

MAX_IMPORT = 32 << 20
"""Maximum size of an imported thread in bytes, as in the HTTP API."""


async def _upload(request: Request) -> Response:
    """Store the body as a file, and return its part and size, or the name of an error."""
    name = request.headers.get("x-filename")
    if name is None:  # required, because a form on another site cannot set this header
        return _refused("unnamed", 400)
    try:
        data = await read_body(request, MAX_BYTES)
    except HTTPException as error:
        return _refused("too_large" if error.status_code == 413 else "failed", error.status_code)
    if not data:
        return _refused("empty", 400)
    name = plain_name(unquote(name))
    kind = await asyncio.to_thread(kind_of, data, name)  # detecting a legacy encoding may take a second
    if kind is None:
        return _refused("kind", 415)
    if converted_type(kind) is not None and kind not in convertible():
        return _refused("extra", 415)
    try:
        part = await _api(request).add_file(data, media_type=kind, filename=name)
    except AccessDeniedError:
        return _refused("failed", 403)
    except ValidationError:
        return _refused("unreadable", 422)
    except AgentCoreError:
        return _refused("failed", 503)
    return JSONResponse({"part": part, "size": len(data)}, 201)


async def _download(request: Request) -> Response:
    """Return a file of a thread."""
    asked = request.path_params
    try:
        file = await _api(request).read_file(asked["thread_id"], asked["file_id"])
    except AgentCoreError:
        file = None
    return _given(file, asked["name"], shown=SHOWN in request.query_params)


async def _export(request: Request) -> Response:
    """Return a thread as a file that `_import_thread` accepts."""
    try:
        document = await _api(request).export_thread(request.path_params["thread_id"])
    except AgentCoreError:
        return _given(None, "")
    text = await asyncio.to_thread(json.dumps, document, indent=2, ensure_ascii=False)
    named = f"attachment; filename*=UTF-8''{quote(file_name(document['thread']['title'], 'json'))}"
    headers = _SAFE | {"Content-Disposition": named, "Cache-Control": "no-store"}
    return Response(text + "\n", media_type="application/json", headers=headers)


async def _import_thread(request: Request) -> Response:
    """Create a thread from an exported one, and return its id, or the name of an error."""
    try:
        thread = await _api(request).import_thread(await body_of(request, MAX_IMPORT))
    except HTTPException as error:
        reason = {400: "unfit", 413: "too_large"}.get(error.status_code, "failed")
        return _refused(reason, error.status_code)
    except ValidationError:
        return _refused("unfit", 422)
    except AccessDeniedError:
        return _refused("failed", 403)
    except AgentCoreError:
        return _refused("failed", 503)
    return JSONResponse({"id": thread.id}, 201)


async def _download_shared(request: Request) -> Response:
    """Return a file of the shared thread with a token."""
    asked = request.path_params
    file = await service().api.shares.read_file(asked["token"], asked["file_id"])
    return _given(file, asked["name"], shown=SHOWN in request.query_params)


def _api(request: Request) -> AgentApi:
    return bind_api(service().api, caller(request.headers))


def _given(file: StoredFile | None, called: str, *, shown: bool = False) -> Response:
    """Return a file; with `shown`, the picture that the page shows of one that browsers cannot show."""
    if file is not None and shown and converted_type(file.media_type) in PICTURES:
        file = StoredFile(file.id, "image/jpeg", file.converted) if file.converted else None
    if file is None:
        return Response("File not found.", 404, media_type="text/plain")
    is_picture = file.media_type in PICTURES
    place = "inline" if is_picture else "attachment"
    name = quote(plain_name(called))
    headers = _SAFE | {"Content-Disposition": f"{place}; filename*=UTF-8''{name}"}
    kind = file.media_type if is_picture else "application/octet-stream"
    return Response(file.data, media_type=kind, headers=headers)


def _refused(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)


routes = Starlette(
    routes=[
        Route("/uploads", _upload, methods=["POST"]),
        Route("/imports", _import_thread, methods=["POST"]),
        Route("/exports/{thread_id}", _export),
        Route("/files/{thread_id}/{file_id}/{name}", _download),
        Route("/shared/{token}/{file_id}/{name}", _download_shared),
    ]
)
"""Routes for the app's `api_transformer`."""
