"""Mount a tool server (MCP): its tools become tools of an agent, over one connection that reconnects."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from agent_core.errors import ToolServerError, ValidationError
from agent_core.mcp.address import MayReach, ServerAddress
from agent_core.mcp.tools import ToolConverter, ToolOverrides
from agent_core.support.argument_checks import check_arguments, known_options
from agent_core.support.logs import get_logger
from agent_core.tools import Tool, ToolContext

if TYPE_CHECKING:
    import mcp_types

    from agent_core.mcp.client import ServerClient

_log = get_logger(__name__)
_OPTIONAL_WAIT = 3.0  # seconds for which a start waits for a server that refuses and is not required


@known_options
def mcp_tools(
    server: str | Sequence[str | Path],
    *,
    name: str | None = None,
    prefix: str | None = None,
    headers: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str | Path | None = None,
    timeout: float | None = 60.0,
    start_timeout: float = 30.0,
    only: Iterable[str] | None = None,
    overrides: Mapping[str, ToolOverrides] | None = None,
    trust_hints: bool = True,
    required: bool = True,
    may_reach: MayReach | None = None,
) -> McpServer:
    """Mount the tools of an MCP server; `async with` the result, around the runtime.

    Args:
        server: the URL of a streamable HTTP server, or a command, as a list or one string, whose process
            speaks MCP over its standard input and output.
        name: name of the server in errors and logs; by default its host, or the script of the command.
        prefix: prefix of the name of each tool, for servers with the same names.
        headers: headers of each HTTP request.
        env: variables added to the few that a child process inherits (PATH, HOME, …; no API keys).
        cwd: working directory of a command.
        timeout: maximum seconds of one attempt at a call; None for no limit.
        start_timeout: maximum seconds for the server to start and to list its tools. A refused URL is
            retried until then, and for at most 3 seconds if the server is not required.
        only: names of the tools to mount; by default all.
        overrides: options of single tools, by name on the server; see `ToolOverrides`. "*" is for
            every tool that is not named.
        trust_hints: whether to trust the server's annotations: read-only or idempotent tools may run
            again, destructive ones need approval. False: nothing runs again and every call needs
            approval, unless `overrides` says otherwise.
        required: whether a server that cannot be reached at the start is an error. False: connecting is
            retried in the background, and there are no tools until then.
        may_reach: takes an `ipaddress` that the host of a URL has, and returns whether it may be connected to; for
            URLs that others enter. Proxies of the environment are not used then. None: any address may.

    Raises:
        ValidationError: an argument is invalid, or the package `mcp` is not installed.
    """
    given = {key: value for key, value in locals().items() if key != "overrides"}
    if isinstance(only, str):
        raise ValidationError(f"only must be a list of names, such as [{only!r}].")
    check_arguments(mcp_tools, (), given)
    if overrides is not None and not isinstance(overrides, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ValidationError(
            "overrides of mcp_tools must be a dict of options by tool, such as {'pay': {'timeout': 5}}."
        )
    return McpServer(
        ServerAddress.of(server, name, headers, env, cwd, may_reach),
        ToolConverter(
            prefix, None if only is None else frozenset(only), dict(overrides or {}), timeout, trust_hints
        ),
        start_timeout,
        required,
    )


@known_options
class McpServer:
    """A mounted server; made by `mcp_tools`.

    Attributes:
        name: name of the server in errors and logs.
        tools: for `Agent(tools=[*server.tools, …])`. A new list after each change on the server; an
            agent keeps its tools, an agent factory gets the new ones at the next step.
        skipped: the reason for each omitted tool, by name on the server.
        instructions: instructions of the server, for the system prompt if the server is trusted.
    """

    def __init__(
        self, source: ServerAddress, converter: ToolConverter, start_timeout: float, required: bool
    ) -> None:
        if not start_timeout > 0:
            raise ValidationError("start_timeout must be seconds, more than 0.")
        self.name = source.name
        self.tools: list[Tool] = []
        self.skipped: dict[str, str] = {}
        self.instructions: str | None = None
        self._source = source
        self._converter = converter
        self._start_timeout = start_timeout
        self._required = required
        self._checked = False
        self._client: ServerClient | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def status(self) -> Literal["connected", "down", "closed"]:
        """Status of the connection; "down" also while connecting."""
        if self._closed or self._client is None:
            return "closed"
        return "connected" if self._client.connected else "down"

    @property
    def error(self) -> str | None:
        """Why the server is down; None if it is not."""
        return self._client.error if self._client is not None else None

    async def __aenter__(self) -> McpServer:
        """Connect and list the tools.

        Raises:
            ToolServerError: the server is required and cannot be reached or used.
            ValidationError: `only` or `overrides` names a tool that the server does not have; `mcp` is
                not installed; this object was entered before.
        """
        if self._client is not None:
            raise ValidationError("This MCP server was entered before; call mcp_tools again.")
        library = await asyncio.to_thread(_library)
        self._client = client = library(self._source, self._start_timeout, self._listed)
        try:
            await self._begin(client)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the server."""
        await self.close()

    async def close(self) -> None:
        """Disconnect within a few seconds in any case; the process of a command is ended."""
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait({self._connecting})
        if self._client is not None:
            await self._client.close()

    async def _begin(self, client: ServerClient) -> None:
        patience = self._start_timeout if self._required else min(self._start_timeout, _OPTIONAL_WAIT)
        try:
            await self._connect(client, patience)
        except ToolServerError:
            if self._required:
                raise
            self._connecting = asyncio.create_task(self._keep_connecting(client), name=f"mcp {self.name}")

    async def _keep_connecting(self, client: ServerClient) -> None:
        with contextlib.suppress(ValidationError):  # from `only` or `overrides`; the connection has logged it
            await self._connect(client, None)

    async def _connect(self, client: ServerClient, timeout: float | None) -> None:
        """Connect; with `timeout` (seconds) only a server that is late is waited for, without it any."""
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        while True:
            try:
                await client.connect()
                return
            except ToolServerError:
                if deadline is not None and (not client.unreachable or loop.time() >= deadline):
                    raise

    def _listed(self, listed: list[mcp_types.Tool], bad: dict[str, str], instructions: str | None) -> None:
        if not self._checked:
            self._converter.check([*(tool.name for tool in listed), *bad])
            self._checked = True
        self.tools, skipped = self._converter.tools(listed, self._call)
        skipped |= bad
        if skipped != self.skipped:
            for name, why in skipped.items():
                _log.warning("The tool %r of the server %s is left out: %s", name, self.name, why)
        self.skipped = skipped
        self.instructions = instructions

    async def _call(self, name: str, arguments: dict[str, Any], ctx: ToolContext) -> Any:
        if self._client is None or self._closed:
            raise ToolServerError(f"The tool server {self.name} is disconnected.", kind="unreachable")
        return await self._client.call(name, arguments, ctx)


def _library() -> type[ServerClient]:
    """Import the package `mcp` lazily: the import takes most of a second."""
    try:
        from agent_core.mcp.client import ServerClient
    except ModuleNotFoundError as error:
        raise ValidationError(
            f'MCP servers need the package mcp: pip install "reflex-durable-agents[mcp]" ({error}).'
        ) from error
    return ServerClient
