"""Third-party adapters: what they yield, return and raise becomes an answer, a retry or a clear error."""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl
import urllib.error
from collections.abc import AsyncIterator, Callable
from email.message import Message as Headers
from pathlib import Path
from typing import Any

import aiohttp
import httpcore
import httpx
import httpx2
import openai
import pytest
import requests
import urllib3

from agent_core import Agent, Runtime, Thread, define_internal_agent_api
from agent_core.errors import ModelError
from agent_core.llm import Finish, ModelRequest, ReasoningDelta, Source, TextDelta, ToolCallDelta, Usage
from agent_core.llm.errors.network_errors import is_transport
from agent_core.streaming.model_step import model_step
from tests.support.agents import AT_ONCE
from tests.support.databases import prepared

REQUEST = httpx.Request("POST", "http://127.0.0.1:9/v1")


class Adapter:
    """Model adapter around one function."""

    name = "parrot"

    def __init__(self, stream: Callable[[ModelRequest], Any]) -> None:
        self._stream = stream
        self.asked = 0

    def stream(self, request: ModelRequest) -> Any:
        self.asked += 1
        return self._stream(request)


def yielding(*events: Any) -> Adapter:
    async def stream(_: ModelRequest) -> AsyncIterator[Any]:
        for event in events:
            if isinstance(event, BaseException):
                raise event
            yield event

    return Adapter(stream)


async def run(path: Path, adapter: Any) -> Thread:
    async with Runtime(prepared(path / "a.db")) as runtime:
        api = define_internal_agent_api(runtime, Agent("a", adapter, retry=AT_ONCE))
        thread = await api.create_thread("Hello")
        return await api.wait_until_idle(thread.id, 20)


async def fail(adapter: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        async for _ in model_step(adapter, ModelRequest([])):
            pass
    return caught.value


def returning(value: object) -> Adapter:
    return Adapter(lambda _: value)


async def coroutine(_: ModelRequest) -> list[Any]:
    return [TextDelta("x")]


def plain_generator(_: ModelRequest) -> Any:
    yield TextDelta("x")


class Ended:
    """Iterator that ends with the wrong exception."""

    def __aiter__(self) -> Ended:
        return self

    async def __anext__(self) -> Any:
        raise StopIteration


ODD = {
    "a str": (yielding("Hello"), "yielded 'str'"),
    "bytes": (yielding(b"Hello"), "yielded 'bytes'"),
    "None": (yielding(None), "yielded 'NoneType'"),
    "a dict": (yielding({"type": "text-delta", "text": "x"}), "yielded 'dict'"),
    "a number": (yielding(0.5), "yielded 'float'"),
    "a list of events": (yielding([TextDelta("x")]), "yielded 'list'"),
    "the class of an event": (yielding(TextDelta), "yielded 'type'"),
    "a str after events": (yielding(TextDelta("x"), "y"), "yielded 'str'"),
    "a coroutine": (Adapter(coroutine), "returned 'coroutine' from stream"),
    "a plain generator": (Adapter(plain_generator), "returned 'generator' from stream"),
    "a list": (returning([TextDelta("x")]), "returned 'list' from stream"),
    "nothing": (returning(None), "returned 'NoneType' from stream"),
    "a text": (returning("Hello"), "returned 'str' from stream"),
    "StopIteration": (yielding(StopIteration("x")), "raised 'StopIteration'"),
    "StopAsyncIteration": (yielding(StopAsyncIteration()), "raised 'StopAsyncIteration'"),
    "StopIteration from an iterator": (returning(Ended()), "raised 'StopIteration'"),
}


@pytest.mark.parametrize("case", ODD)
async def test_an_unknown_event_fails_with_what_an_adapter_must_yield(case: str):
    adapter, sentence = ODD[case]
    error = await fail(adapter)
    assert f"ModelAdapter 'parrot' {sentence}" in str(error)
    assert "must yield TextDelta, ReasoningDelta, ToolCallDelta" in str(error)
    assert not error.retryable


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (TextDelta(None), "text of TextDelta must be text, not None"),  # pyright: ignore[reportArgumentType]
        (TextDelta([{"type": "text"}]), "text of TextDelta must be text"),  # pyright: ignore[reportArgumentType]
        (TextDelta(b"x"), "text of TextDelta must be text, not b'x'"),  # pyright: ignore[reportArgumentType]
        (ReasoningDelta(5), "text of ReasoningDelta"),  # pyright: ignore[reportArgumentType]
        (ToolCallDelta("0", None, None, ""), "index of ToolCallDelta must be a whole number"),  # pyright: ignore[reportArgumentType]
        (ToolCallDelta(0, 5, "x", ""), "id of ToolCallDelta"),  # pyright: ignore[reportArgumentType]
        (ToolCallDelta(0, None, "x", {"a": 1}), "arguments of ToolCallDelta"),  # pyright: ignore[reportArgumentType]
        (Source(None), "url of Source"),  # pyright: ignore[reportArgumentType]
        (Finish(None), "reason of Finish"),  # pyright: ignore[reportArgumentType]
    ],
)
async def test_an_event_with_an_odd_field_fails_with_the_field(event: Any, sentence: str):
    error = await fail(yielding(event))
    assert f"ModelAdapter 'parrot' yielded an invalid {type(event).__name__}: {sentence}" in str(error)


async def test_a_thread_shows_the_sentence_and_keeps_what_was_said(tmp_path: Path):
    thread = await run(tmp_path, yielding(TextDelta("Half"), "Hello"))
    assert thread.status == "failed"
    assert "yielded 'str'; it must yield TextDelta" in (thread.error or "")


async def test_an_adapter_that_raises_when_it_is_called_fails_like_one_that_raises_later(tmp_path: Path):
    def stream(_: ModelRequest) -> Any:
        raise KeyError("voice")

    adapter = Adapter(stream)
    thread = await run(tmp_path, adapter)
    assert (thread.status, thread.error_kind, adapter.asked) == ("failed", "unknown", 1)
    assert "The model adapter failed: " in (thread.error or "")


def wrapped(cause: BaseException, outer: BaseException, *, explicit: bool = True) -> BaseException:
    """Raise `outer` from `cause`, or while handling it, and return it."""
    try:
        try:
            raise cause
        except BaseException as error:
            if explicit:
                raise outer from error
            raise outer  # noqa: B904
    except BaseException as error:
        return error


def urllib_error() -> Exception:
    return urllib.error.URLError(ConnectionRefusedError(111, "refused"))


TRANSPORT: list[Exception] = [
    ConnectionError("no answer"),
    ConnectionResetError(104, "reset"),
    BrokenPipeError(),
    TimeoutError(),
    asyncio.TimeoutError("late"),  # noqa: UP041 — older programs name it so
    OSError(errno.ENETUNREACH, "Network is unreachable"),
    OSError(errno.EHOSTUNREACH, "No route to host"),
    OSError(errno.ETIMEDOUT, "timed out"),
    socket.gaierror(-2, "Name or service not known"),
    ssl.SSLError(1, "bad handshake"),
    asyncio.IncompleteReadError(b"", 5),
    http.client.IncompleteRead(b""),
    http.client.RemoteDisconnected("gone"),
    urllib_error(),
    httpx.ConnectError("All connection attempts failed", request=REQUEST),
    httpx.ReadTimeout("", request=REQUEST),
    httpx.RemoteProtocolError("peer closed connection", request=REQUEST),
    httpx.PoolTimeout("", request=REQUEST),
    httpx2.ConnectTimeout("", request=httpx2.Request("POST", "http://127.0.0.1:9/v1")),
    httpx2.ReadError("cut", request=httpx2.Request("POST", "http://127.0.0.1:9/v1")),
    httpcore.ConnectError("refused"),
    httpcore.ReadTimeout(),
    aiohttp.ServerDisconnectedError(),
    aiohttp.ClientPayloadError("cut"),
    aiohttp.ClientOSError(104, "reset"),
    aiohttp.ConnectionTimeoutError(),
    requests.exceptions.ConnectionError("refused"),
    requests.exceptions.ReadTimeout("late"),
    requests.exceptions.ChunkedEncodingError("cut"),
    urllib3.exceptions.ProtocolError("cut"),
    urllib3.exceptions.ReadTimeoutError(None, "/", "late"),  # pyright: ignore[reportArgumentType]
    openai.APIConnectionError(request=REQUEST),
    openai.APITimeoutError(REQUEST),
]


@pytest.mark.parametrize("error", TRANSPORT, ids=repr)
async def test_an_error_of_the_network_may_be_tried_again(error: Exception):
    found = await fail(yielding(TextDelta("Half "), error))
    assert (found.kind, found.retryable) == ("network", True)
    assert "parrot" in str(found)
    assert found.__cause__ is error


class VendorError(Exception):
    """Error that an SDK raises for any failure."""


@pytest.mark.parametrize(
    ("error", "network"),
    [
        (wrapped(ConnectionResetError(), VendorError("could not ask")), True),
        (wrapped(httpx.ReadError(""), RuntimeError("could not ask")), True),
        (wrapped(TimeoutError(), VendorError("x"), explicit=False), True),
        (wrapped(wrapped(socket.gaierror(), OSError("x")), VendorError("y")), True),
        (wrapped(ConnectionError(), ValueError("no JSON")), True),
        (ExceptionGroup("tasks", [ConnectionError(), TimeoutError()]), True),
        # A bug that surfaces while a network error is handled is still a bug.
        (wrapped(ConnectionError(), KeyError("retries"), explicit=False), False),
        (wrapped(ConnectionError(), AttributeError("x"), explicit=False), False),
        (ExceptionGroup("tasks", [ConnectionError(), KeyError("x")]), False),
        (ValueError("no JSON"), False),
        (KeyError("x"), False),
        (TypeError("x"), False),
        (FileNotFoundError(2, "prompt.txt"), False),
        (PermissionError(13, "key.pem"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (RuntimeError("x"), False),
        (VendorError("connection"), False),
        (httpx.UnsupportedProtocol("ftp"), False),
        (httpx.LocalProtocolError("x"), False),
        (httpx.InvalidURL("no host"), False),
        (aiohttp.InvalidURL("x"), False),
        (requests.exceptions.InvalidURL("x"), False),
    ],
    ids=repr,
)
async def test_network_errors_alone_are_called_so(error: Exception, network: bool):
    assert is_transport(error) == network
    found = await fail(yielding(error))
    assert (found.kind == "network") == network
    assert found.retryable == network


def status_error(status: int, **headers: str) -> Exception:
    response = httpx.Response(status, headers=headers, request=REQUEST)
    return httpx.HTTPStatusError(f"{status}", request=REQUEST, response=response)


def aiohttp_error(status: int) -> Exception:
    return aiohttp.ClientResponseError(None, (), status=status, message="no")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("error", "kind", "wait"),
    [
        (status_error(429, **{"retry-after": "7"}), "rate_limited", 7.0),
        (status_error(503), "provider_5xx", None),
        (status_error(401), "auth", None),
        (status_error(400), "invalid_request", None),
        (aiohttp_error(502), "provider_5xx", None),
        (urllib.error.HTTPError("http://x", 503, "busy", Headers(), None), "provider_5xx", None),
        (
            openai.RateLimitError("slow", response=httpx.Response(429, request=REQUEST), body=None),
            "rate_limited",
            None,
        ),
        (wrapped(status_error(500), VendorError("failed")), "provider_5xx", None),
    ],
    ids=repr,
)
async def test_an_http_status_says_what_may_be_tried_again(error: Exception, kind: str, wait: float | None):
    found = await fail(yielding(error))
    assert (found.kind, found.retry_after) == (kind, wait)


async def test_an_adapter_that_loses_its_connection_is_asked_again_by_the_policy(tmp_path: Path):
    answers: list[list[Any]] = [
        [TextDelta("Ha"), ConnectionResetError()],
        [TimeoutError()],
        [TextDelta("Hello."), Finish("stop")],
    ]

    async def stream(_: ModelRequest) -> AsyncIterator[Any]:
        for event in answers[adapter.asked - 1]:
            if isinstance(event, Exception):
                raise event
            yield event

    adapter = Adapter(stream)
    thread = await run(tmp_path, adapter)
    assert (thread.status, adapter.asked) == ("completed", 3)


async def test_usage_of_a_failed_adapter_is_not_forgotten():
    error = await fail(yielding(Usage(5, 2, 7), ConnectionError()))
    assert error.usage == Usage(5, 2, 7)
