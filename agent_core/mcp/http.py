"""Connect to a tool server by streamable HTTP, with failures limited to their request.

In the MCP library one refused connection ends all calls of the client, and an answer that is not JSON-RPC
is ignored. Here each failed POST is answered with a JSON-RPC error whose code says whether the request
can have reached the server.
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
LOST = -31902  # sent without an answer: it may have been carried out
FORGOTTEN = -31903  # unknown session: the server rejected the request unread
REFUSED = -31904  # answered with an error status
_MAX_EVENT_BYTES = 16 * 1024 * 1024  # bytes of one event, above the limit of a result, whose error is clearer
_CLOSE_TIMEOUT = 2.0  # seconds
_WORDS = 300  # characters of a body that is not JSON
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@contextlib.asynccontextmanager
async def http_transport(
    url: str, headers: dict[str, str] | None, connect_timeout: float
) -> AsyncGenerator[Any]:
    """Yield the streams of a connection to the server at `url`.

    Args:
        url: URL of the server.
        headers: headers of each request.
        connect_timeout: seconds for connecting; answers are limited by the timeout of their call.
    """
    timeout = httpx2.Timeout(connect_timeout, read=None)
    async with (
        _Client(headers=headers, timeout=timeout) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=_MAX_EVENT_BYTES) as streams,
    ):
        yield streams


class _Client(httpx2.AsyncClient):
    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if request.method == "DELETE":  # end of the session; do not wait for a server that hangs
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                return await super().send(request, **options)
        if request.method != "POST":
            return await super().send(request, **options)
        try:
            response = await super().send(request, **options)
            if _is_json(response) or response.is_error:
                await response.aread()  # read it here, where an incomplete body can still become an error
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
