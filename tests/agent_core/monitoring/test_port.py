"""The port of a worker without pages: GET and HEAD for probes, and nothing that stops it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from agent_core.errors import ValidationError
from agent_core.monitoring import serve
from agent_core.testing import eventually
from tests.support.agents import agent_on, runtime_of

pytestmark = pytest.mark.sqlite  # the pages have tests of their own


async def test_ready_and_metrics_are_served(path: Path) -> None:
    async with agent_on(path, []) as api, serve(runtime_of(api), "127.0.0.1", 0) as address:
        await eventually(lambda: api.store.is_listening)
        async with httpx.AsyncClient(base_url=address) as client:
            ready = await client.get("/ready?from=probe")
            assert (ready.status_code, ready.json()) == (200, {"ready": True, "problems": {}})
            metrics = await client.get("/metrics")
            assert metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
            assert metrics.text.startswith("# HELP agent_core_due_wake_ups ")
            head = await client.head("/metrics")
            assert (head.status_code, head.text) == (200, "")
            assert (await client.get("/")).status_code == 404
            assert (await client.post("/metrics")).status_code == 405


@pytest.mark.parametrize(
    "data", [b"", b"\r\n\r\n", b"GET", b"\xff\xfe\r\n\r\n", b"GET /ready\r\n" + b"a" * 100_000]
)
async def test_requests_that_are_none_do_no_harm(path: Path, data: bytes) -> None:
    async with agent_on(path, []) as api, serve(runtime_of(api), "127.0.0.1", 0) as address:
        where = urlsplit(address)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(data)
        writer.write_eof()
        answer = await reader.read()
        writer.close()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 40")
        async with httpx.AsyncClient(base_url=address) as client:
            assert (await client.get("/metrics")).status_code == 200


async def test_port_that_is_taken_is_named(path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with agent_on(path, []) as api:
            with pytest.raises(ValidationError, match=f"port {port}"):
                async with serve(runtime_of(api), "127.0.0.1", port):
                    pass
