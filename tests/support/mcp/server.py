"""A small MCP server on the official MCP library: `python mcp_server.py LOG [PORT]`.

It serves on standard input and output, or over streamable HTTP on a port. Each effect appends a line to LOG,
which outlives the server; so do starts, ends and cancelled calls.
"""

from __future__ import annotations

import asyncio
import base64
import os
import sys
import time
from pathlib import Path
from typing import Any

import uvicorn
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp_types import (
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
    ToolAnnotations,
)
from starlette.responses import PlainTextResponse

LOG = Path(sys.argv[1])
server = MCPServer("tiny", instructions="Be kind.", log_level="CRITICAL")


def note(words: str) -> None:
    with LOG.open("a", encoding="utf-8") as file:
        file.write(f"{words} {os.getpid()}\n")


@server.tool()
def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


async def _send(to: str, seconds: float, ctx: Context) -> str:
    note(f"begun {to}")
    try:
        for step in range(int(seconds * 20)):
            await ctx.report_progress(step, seconds * 20, f"step {step}")
            await asyncio.sleep(0.05)
    except asyncio.CancelledError:
        note(f"cancelled {to}")
        raise
    note(f"sent {to}")
    return f"sent to {to}"


@server.tool()
async def send(to: str, seconds: float, ctx: Context) -> str:
    """Send something, once."""
    return await _send(to, seconds, ctx)


@server.tool(annotations=ToolAnnotations(idempotent_hint=True))
async def put(to: str, seconds: float, ctx: Context) -> str:
    """Put something there, as often as you like; only the first time takes so long."""
    again = LOG.exists() and f"begun {to} " in LOG.read_text(encoding="utf-8")
    return await _send(to, 0 if again else seconds, ctx)


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def look() -> dict[str, Any]:
    """Look, and change nothing."""
    return {"pid": os.getpid(), "secret": os.environ.get("OPENAI_API_KEY"), "given": os.environ.get("GIVEN")}


@server.tool(annotations=ToolAnnotations(destructive_hint=True))
def wipe(what: str) -> str:
    """Wipe it."""
    note(f"wiped {what}")
    return "gone"


@server.tool(annotations=ToolAnnotations(destructive_hint=True, read_only_hint=True))
def wolf() -> str:
    """Say both."""
    return "wool"


@server.tool()
def fail(words: str) -> CallToolResult:
    """Fail in these words."""
    return CallToolResult(content=[TextContent(text=words)], is_error=True)


@server.tool()
def end() -> str:
    """End the server in the middle of the call."""
    note("ended")
    os._exit(3)


@server.tool()
def show(size: int) -> CallToolResult:
    """Show a picture and what goes with it."""
    data = base64.b64encode(b"x" * size).decode()
    return CallToolResult(
        content=[
            TextContent(text="Look:"),
            ImageContent(data=data, mime_type="image/png"),
            EmbeddedResource(resource=TextResourceContents(uri="file:///a.txt", text="héllo")),
            EmbeddedResource(resource=BlobResourceContents(uri="file:///b", blob=data)),
            ResourceLink(uri="https://example.com/c", name="c"),
        ]
    )


@server.tool()
def nothing() -> CallToolResult:
    """Say nothing."""
    return CallToolResult(content=[])


@server.tool()
def long(size: int) -> str:
    """Say much."""
    return "x" * size


@server.tool(name="files.read / ünï")
def odd() -> str:
    """Have a name that providers refuse."""
    return "read"


@server.tool(name="files.read____n_")
def odder() -> str:
    """Have another that would be called the same."""
    return "read too"


@server.tool(name="n" * 70)
def longer() -> str:
    """Have a name that is too long."""
    return "n"


@server.tool()
async def grow(ctx: Context) -> str:
    """Have one tool more from now on."""
    server.add_tool(lambda: "new", name="newcomer", description="Be new.")
    await ctx.notify_tools_changed()
    return "grown"


def old_fashioned(app: Any) -> Any:
    """Refuse the newest protocol, so that the client falls back to a protocol with sessions."""

    async def old(scope: Any, receive: Any, send: Any) -> None:
        if (b"mcp-method", b"server/discover") in scope.get("headers", ()):
            await PlainTextResponse("What is that?", 400)(scope, receive, send)
        else:
            await app(scope, receive, send)

    return old


if __name__ == "__main__":
    if os.environ.get("BROKEN"):
        sys.exit("the disk is on fire")
    time.sleep(float(os.environ.get("SLOW_START", "0")))
    note("started")
    if len(sys.argv) > 2:
        app = server.streamable_http_app(json_response=bool(os.environ.get("JSON")))
        app = old_fashioned(app) if os.environ.get("OLD") else app
        uvicorn.run(app, port=int(sys.argv[2]), log_level="critical", timeout_graceful_shutdown=1)
    else:
        server.run("stdio")
