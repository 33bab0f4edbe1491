"""Tell errors of the network from all others, in whatever library of HTTP they were raised.

Libraries are known by the names of their classes and modules, so that none needs to be installed.
"""

from __future__ import annotations

import asyncio
import errno
import http.client
import socket
import ssl
import urllib.error
from collections.abc import Iterator
from typing import cast

_ERRNOS = frozenset(
    getattr(errno, name)
    for name in (
        *("ECONNREFUSED", "ECONNRESET", "ECONNABORTED", "EPIPE", "ESHUTDOWN", "ENOTCONN", "ETIMEDOUT"),
        *("ENETUNREACH", "ENETDOWN", "ENETRESET", "EHOSTUNREACH", "EHOSTDOWN", "EADDRNOTAVAIL"),
    )
    if hasattr(errno, name)
)
_STANDARD = (
    *(ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror, socket.herror, urllib.error.URLError),
    *(asyncio.IncompleteReadError, http.client.IncompleteRead, http.client.BadStatusLine),
)
_HTTPX = frozenset({"TimeoutException", "NetworkError", "ProxyError", "RemoteProtocolError"})
_CLASSES: dict[str, frozenset[str]] = {
    "httpx": _HTTPX,
    "httpx2": _HTTPX,
    "httpcore": _HTTPX,
    "httpcore2": _HTTPX,
    "h11": frozenset({"RemoteProtocolError"}),
    "h2": frozenset({"StreamClosedError", "ProtocolError"}),
    "anyio": frozenset({"BrokenResourceError", "EndOfStream", "IncompleteRead"}),
    "aiohttp": frozenset({"ClientConnectionError", "ClientPayloadError", "WSServerHandshakeError"}),
    "requests": frozenset({"ConnectionError", "Timeout", "ChunkedEncodingError"}),
    "urllib3": frozenset({"TimeoutError", "ProtocolError", "MaxRetryError", "ProxyError", "SSLError"}),
    "botocore": frozenset({"HTTPClientError", "ConnectionError"}),
    "websockets": frozenset({"ConnectionClosed"}),
}
"""By a library's name: its classes that mean that a connection could not be made, broke or took too long."""

_SDK = frozenset({"APIConnectionError", "APITimeoutError"})
"""The same in every SDK of a provider that is made by Stainless: openai, anthropic, groq, cerebras, …"""

_PROGRAMMING = (
    *(TypeError, ValueError, LookupError, AttributeError, NameError, AssertionError, ArithmeticError),
    *(NotImplementedError, ImportError, SyntaxError, RecursionError),
)


def is_transport(error: BaseException) -> bool:
    """Return whether an error, or one that it was made from, comes from the network.

    A cause (`raise … from error`) always counts. What was merely being handled when a mistake in a
    program showed up does not make the mistake one of the network. Of a group all must come from there.
    """
    return any(_is_transport(link) for link in causes(error))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that it was made from, each once."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        handled = None if link.__suppress_context__ or isinstance(link, _PROGRAMMING) else link.__context__
        link = link.__cause__ or handled


def _is_transport(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        return all(is_transport(each) for each in group.exceptions)
    if isinstance(error, urllib.error.HTTPError | ValueError):  # an answer; a URL that is none
        return False
    if isinstance(error, _STANDARD) or (isinstance(error, OSError) and error.errno in _ERRNOS):
        return True
    return any(_is_known(base) for base in type(error).__mro__)


def _is_known(kind: type) -> bool:
    library = kind.__module__.partition(".")[0]
    return kind.__name__ in _SDK or kind.__name__ in _CLASSES.get(library, ())
