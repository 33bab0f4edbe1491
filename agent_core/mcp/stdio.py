"""Connect to a tool server that runs as a child process, over its standard input and output."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from mcp.client.stdio import StdioServerParameters, stdio_client

from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_TAIL = 12  # kept lines of standard error


class ErrorOutput:
    """Standard error of a child process: logged line by line, with the last lines kept."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lines: deque[str] = deque(maxlen=_TAIL)
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
    command: Sequence[str],
    env: dict[str, str] | None,
    cwd: str | None,
    errors: ErrorOutput,
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
