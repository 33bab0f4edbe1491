"""Helpers for the tests of MCP tools: the server as a child process, and single calls."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from agent_core.mcp import McpServer
from agent_core.tools import Tool, ToolContext, execute, parse_arguments

SERVER = Path(__file__).with_name("server.py")
LEGACY = Path(__file__).with_name("legacy_server.py")


def command(log: Path, *more: str) -> list[str]:
    """Return the command of the server on standard input and output."""
    return [sys.executable, str(SERVER), str(log), *more]


@contextlib.asynccontextmanager
async def http_server(log: Path, port: int, **env: str) -> AsyncGenerator[int]:
    """Run the server over HTTP for a block; yield its process id, and kill the process afterwards."""
    child = await asyncio.create_subprocess_exec(*command(log, str(port)), env=os.environ | env)
    try:
        yield child.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def kill(pid: int) -> None:
    """Send SIGKILL to a process."""
    os.kill(pid, signal.SIGKILL)


def noted(log: Path, words: str) -> list[int]:
    """Return the ids of the processes that logged these words, in order."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [int(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == words]


def tool(server: McpServer, name: str) -> Tool:
    """Return a tool of the server by its local name."""
    return next(tool for tool in server.tools if tool.name == name)


async def call(server: McpServer, name: str, **arguments: Any) -> Any:
    """Call a tool once, as the tool runner does."""
    found = tool(server, name)
    return await execute(found, parse_arguments(found, arguments), ToolContext("t", "c", name))
