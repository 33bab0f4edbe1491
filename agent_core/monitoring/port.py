"""Serve the pages of a monitor on a port of their own, for workers without a web server.

It answers GET and HEAD, one request per connection, and is meant for probes and for Prometheus, not for the
internet.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from http import HTTPStatus

from agent_core.errors import ValidationError
from agent_core.monitoring.monitor import Monitor, Page
from agent_core.runtime import Runtime

_MAX_REQUEST = 16_384  # bytes
_TIMEOUT = 10.0  # seconds for one request
_MISSING = Page(404, "text/plain; charset=utf-8", "There are /ready and /metrics.\n")
_REFUSED = Page(405, "text/plain; charset=utf-8", "Only GET and HEAD are answered.\n")


@contextlib.asynccontextmanager
async def serve(runtime: Runtime, host: str, port: int) -> AsyncGenerator[str]:
    """Serve `/ready` and `/metrics` of a runtime for a block; yield the address. Port 0 takes a free one.

    Raises:
        ValidationError: the port is in use, or the address is not one of this machine.
    """
    monitor = Monitor(runtime)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
        ):
            async with asyncio.timeout(_TIMEOUT):
                await _answer(monitor, reader, writer)
        writer.close()

    try:
        server = await asyncio.start_server(answer, host, port, limit=_MAX_REQUEST)
    except (OSError, OverflowError) as error:
        raise ValidationError(f"The metrics cannot be served on {host}, port {port}: {error}.") from error
    try:
        bound, number = server.sockets[0].getsockname()[:2]
        yield f"http://{f'[{bound}]' if ':' in bound else bound}:{number}"
    finally:
        server.close()
        monitor.close()


async def _answer(monitor: Monitor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0]
    method, _, rest = line.decode("latin-1").partition(" ")
    path = rest.split(" ", 1)[0].partition("?")[0]
    page = _REFUSED if method not in ("GET", "HEAD") else await monitor.page(path) or _MISSING
    body = page.body.encode()
    head = (
        f"HTTP/1.1 {page.status} {HTTPStatus(page.status).phrase}\r\n"
        f"Content-Type: {page.content_type}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode() + (b"" if method == "HEAD" else body))
    await writer.drain()
