"""MCP over HTTP, against servers and gateways that fail in rare ways."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agent_core import mcp_tools
from agent_core.errors import ToolServerError
from tests.support.mcp.calls import call, tool

ACCEPTED = b"HTTP/1.1 202 Accepted\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
ANSWERS: dict[str, Any] = {
    "initialize": {
        "protocolVersion": "2025-06-18",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "x", "version": "1"},
    },
    "tools/list": {"tools": [{"name": "good", "inputSchema": {"type": "object"}}]},
}


@contextlib.asynccontextmanager
async def gateway(answer: bytes, session: str = "") -> AsyncGenerator[tuple[str, list[str]]]:
    """Serve the old protocol with `answer` to each tool call; yield the URL and the received heads."""
    heads: list[str] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        length = heads[-1].lower().partition("content-length: ")[2].partition("\r\n")[0]
        body = await reader.readexactly(int(length or 0))
        method = json.loads(body)["method"] if body else ""
        writer.write(answer if method == "tools/call" else respond(method, body, session))
        writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp", heads


def respond(method: str, body: bytes, session: str) -> bytes:
    if not method or method.startswith("notifications"):
        return ACCEPTED
    known = ANSWERS.get(method)
    said = {"result": known} if known else {"error": {"code": -32601, "message": "Method not found"}}
    text = json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], **said})
    return http(
        "200 OK", text, "content-type: application/json", *([f"mcp-session-id: {session}"] * bool(session))
    )


def http(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", "connection: close", f"content-length: {len(body.encode())}", *headers]
    return ("\r\n".join([*lines, "", ""]) + body).encode()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        # A gateway's error leaves open whether the server behind it has run the tool.
        (http("502 Bad Gateway", "<p>No</p>"), "lost", r"it answered 502 Bad Gateway: <p>No</p>\. The tool may or"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{", "lost", "lost in the"),
        (b"", "lost", "lost in the middle of a call: "),
        (http("403 Forbidden", "Not you."), "refused", r"refused the call: it answered 403 Forbidden: Not you\."),
        (http("400 Bad Request", '{"jsonrpc":"2.0","id":null,"error":{"code":-1,"message":"Nö"}}',
              "content-type: application/json"), "refused", "^Nö$"),
    ],
    ids=["502", "broken off", "nothing", "403", "json-rpc"],
)  # fmt: skip
async def test_lost_call_is_in_doubt_only_if_it_may_have_run(answer: bytes, kind: str, words: str):
    async with gateway(answer) as (url, _), mcp_tools(url) as server:
        with pytest.raises(ToolServerError, match=words) as caught:
            await call(server, "good")
        assert caught.value.kind == kind
        retry = tool(server, "good").retry
        assert retry is not None
        assert retry.delay(1, caught.value) is None
        assert (server.status == "connected") == (kind == "refused")


async def test_a_server_that_forgets_us_again_is_not_asked_for_ever():
    async with gateway(http("404 Not Found", ""), session="s") as (url, heads), mcp_tools(url) as server:
        with pytest.raises(ToolServerError, match="it has forgotten our session"):
            await call(server, "good")
        assert len(heads) < 20


async def test_headers_go_with_each_request():
    async with gateway(http("403 Forbidden", "")) as (url, heads), mcp_tools(url, headers={"X-Key": "k"}):
        pass
    assert heads
    assert all("x-key: k" in head.lower() for head in heads)


async def test_a_refusal_at_startup_is_reported():
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(http("401 Unauthorized", "who are you?"))
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp"
        with pytest.raises(ToolServerError, match=r"it answered 401 Unauthorized: who are you\?"):
            await mcp_tools(url).__aenter__()


async def test_a_server_that_wants_people_to_sign_in_is_told_apart_from_a_wrong_header():
    async def challenge(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asks = 'WWW-Authenticate: Bearer error="invalid_token", resource_metadata="https://127.0.0.1/.well-known/x"'
        writer.write(http("401 Unauthorized", '{"error": "invalid_token"}', asks))
        writer.close()

    async with await asyncio.start_server(challenge, "127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/mcp"
        with pytest.raises(ToolServerError, match=r"asks each person to sign in there \(OAuth\)"):
            await mcp_tools(url).__aenter__()
