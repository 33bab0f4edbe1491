"""Connect to a tool server: by streamable HTTP, or as a child process over its standard input and output.

Failures over HTTP are limited to their request. In the MCP library one refused connection ends all calls of the
client, and an answer that is not JSON-RPC is ignored. Here each failed POST is answered with a JSON-RPC error
whose code says whether the request can have reached the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from agent_core.errors import words_of
from agent_core.mcp.address import MayReach
from agent_core.mcp.reach import reaching
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
UNREACHABLE = -31901  # no connection: the request was not sent
LOST = -31902  # sent without an answer: it may have been carried out
FORGOTTEN = -31903  # unknown session: the server rejected the request unread
REFUSED = -31904  # answered with an error status
_MAX_EVENT_BYTES = 16 * 1024 * 1024  # bytes of one event, above the limit of a result, whose error is clearer
_CLOSE_TIMEOUT = 2.0  # seconds
_MAX_SHOWN = 300  # characters of a body that is not JSON
_OAUTH = "resource_metadata"  # in the challenge of a server with OAuth (RFC 9728, section 5.1)
_ASKS_PERSON = (
    "it asks each person to sign in there (OAuth), which is not supported. If it also takes tokens of another kind, "
    "send one in a header"
)
_NOT_SIGNED_IN = "the person is not signed in there"
_MAX_CONNECT = 60.0  # seconds; a sign-in waits longer, for a person
_MAX_LINES = 12  # kept lines of standard error
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)


@contextlib.asynccontextmanager
async def http_transport(
    url: str,
    headers: dict[str, str] | None,
    connect_timeout: float,
    may_reach: MayReach | None = None,
    auth: httpx2.Auth | None = None,
) -> AsyncGenerator[Any]:
    """Yield the streams of a connection to the server at `url`.

    `connect_timeout` (seconds) is for connecting alone; answers are limited by the timeout of their call. With
    `may_reach`, only the addresses for which it returns True are connected to.
    """
    timeout = httpx2.Timeout(min(connect_timeout, _MAX_CONNECT), read=None)
    async with (
        _Client(headers=headers, timeout=timeout, auth=auth, **reaching(may_reach)) as client,
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
            return _answer(request, UNREACHABLE, words_of(error))
        except httpx2.TransportError as error:
            return _answer(request, LOST, words_of(error))
        except OAuthFlowError as error:
            return _answer(request, REFUSED, f"the sign-in failed: {words_of(error)}")
        return _refusal(request, response, is_personal=self.auth is not None) or response


def _refusal(
    request: httpx2.Request, response: httpx2.Response, *, is_personal: bool
) -> httpx2.Response | None:
    status = response.status_code
    if status == http.HTTPStatus.NOT_FOUND and "mcp-session-id" in request.headers:
        return _answer(request, FORGOTTEN, "it has forgotten our session")
    if not response.is_error or (_is_json(response) and '"jsonrpc"' in response.text):
        return None
    if status == http.HTTPStatus.UNAUTHORIZED and _OAUTH in response.headers.get("www-authenticate", ""):
        return _answer(request, REFUSED, _NOT_SIGNED_IN if is_personal else _ASKS_PERSON)
    body = " ".join(response.text.split())
    words = f"it answered {status} {response.reason_phrase}".strip() + (
        f": {body[:_MAX_SHOWN]}" if body else ""
    )
    return _answer(request, LOST if response.is_server_error else REFUSED, words)


def _answer(request: httpx2.Request, code: int, words: str) -> httpx2.Response:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": words}}
    return httpx2.Response(http.HTTPStatus.SERVICE_UNAVAILABLE, json=body, request=request)


def _is_json(response: httpx2.Response) -> bool:
    return str(response.headers.get("content-type", "")).lower().startswith("application/json")


class ErrorOutput:
    """Standard error of a child process: logged line by line, with the last lines kept."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: deque[str] = deque(maxlen=_MAX_LINES)
        self._reader: threading.Thread | None = None

    @contextlib.contextmanager
    def writer(self) -> Any:
        """Yield the file for the child process; the parent's copy is closed on exit."""
        reading, writing = os.pipe()
        self._lines.clear()
        self._reader = threading.Thread(target=self._read, args=(reading,), name=self._name, daemon=True)
        self._reader.start()
        with os.fdopen(writing, "w") as file:
            yield file

    def tail(self, wait: float = 0.5) -> str:
        """Return the last lines; blocks up to `wait` seconds for a child that has just died."""
        if self._reader is not None:
            self._reader.join(wait)
        return "\n".join(list(self._lines))

    def _read(self, reading: int) -> None:
        with os.fdopen(reading, encoding="utf-8", errors="replace") as file:
            for line in file:
                self._lines.append(line.rstrip())
                _log.info("%s: %s", self._name, line.rstrip())


@contextlib.asynccontextmanager
async def stdio_transport(
    command: Sequence[str], env: dict[str, str] | None, cwd: str | None, errors: ErrorOutput
) -> AsyncGenerator[Any]:
    """Start the server and yield its streams.

    Raises:
        OSError: the command cannot be started.
    """
    parameters = StdioServerParameters(command=command[0], args=list(command[1:]), env=env, cwd=cwd)
    async with contextlib.AsyncExitStack() as stack:
        with errors.writer() as file:
            streams = await stack.enter_async_context(stdio_client(parameters, errlog=file))
        yield streams
