"""Streamable HTTP to a tool server, whose failures stay with the request that met them.

The library lets one refused connection end every call on the client, and tells nothing of an answer
that is no JSON-RPC. Here each failed POST gets an answer of its own, as the server might have given
it: a JSON-RPC error whose code says whether the request can have reached the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
from collections.abc import AsyncGenerator
from typing import Any

import httpx2
from mcp.client.streamable_http import streamable_http_client

from agent_core.errors import words_of

UNREACHABLE = -31901  # no connection: the request was not sent
LOST = -31902  # sent, and no answer came: it may have been carried out
FORGOTTEN = -31903  # the server does not know our session: it refused the request unread
REFUSED = -31904  # answered with a status that says no
_MAX_EVENT_BYTES = 16 * 1024 * 1024  # bytes of one event: above the limit of a result, which says it better
_CLOSE_TIMEOUT = 2.0  # seconds
_WORDS = 300  # characters of a body that is no JSON
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@contextlib.asynccontextmanager
async def http_transport(
    url: str, headers: dict[str, str] | None, connect_timeout: float
) -> AsyncGenerator[Any]:
    """Give the streams of a connection to the server at `url`.

    Args:
        url: the server's address.
        headers: sent with each request.
        connect_timeout: seconds for a connection; how long an answer may take is the call's own limit.
    """
    timeout = httpx2.Timeout(connect_timeout, read=None)
    async with (
        _Client(headers=headers, timeout=timeout) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=_MAX_EVENT_BYTES) as streams,
    ):
        yield streams


class _Client(httpx2.AsyncClient):
    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if request.method == "DELETE":  # the farewell; a server that hangs must not keep us
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                return await super().send(request, **options)
        if request.method != "POST":
            return await super().send(request, **options)
        try:
            response = await super().send(request, **options)
            if _is_json(response) or response.is_error:
                await response.aread()  # here, where a body that breaks off can still be answered for
        except _NOT_SENT as error:
            return _answer(request, UNREACHABLE, _said(error))
        except httpx2.TransportError as error:
            return _answer(request, LOST, _said(error))
        return _refusal(request, response) or response


def _refusal(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response | None:
    status = response.status_code
    if status == http.HTTPStatus.NOT_FOUND and "mcp-session-id" in request.headers:
        return _answer(request, FORGOTTEN, "it has forgotten our session")
    if not response.is_error or (_is_json(response) and '"jsonrpc"' in response.text):
        return None
    body = " ".join(response.text.split())
    words = f"it answered {status} {response.reason_phrase}".strip() + (f": {body[:_WORDS]}" if body else "")
    return _answer(request, LOST if response.is_server_error else REFUSED, words)


def _answer(request: httpx2.Request, code: int, words: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": words}}
    return httpx2.Response(http.HTTPStatus.SERVICE_UNAVAILABLE, json=body, request=request)


def _is_json(response: httpx2.Response) -> bool:
    return str(response.headers.get("content-type", "")).lower().startswith("application/json")


def _said(error: Exception) -> str:
    return words_of(error)
