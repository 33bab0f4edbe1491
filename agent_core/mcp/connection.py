"""Hold the connection to one server in one task, and reconnect when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, cast

import mcp_types
from mcp import Client, MCPError
from mcp.client import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from agent_core.errors import AgentCoreError, ToolServerError
from agent_core.mcp.message_filter import MessageFilter, without_bad_tools
from agent_core.mcp.transports import UNREACHABLE
from agent_core.support.logs import get_logger

_log = get_logger(__name__)
_RECONNECT_INTERVALS = (0.25, 10.0)  # seconds before a second attempt to connect, and the longest
_REFUSED_INTERVAL = 1.0  # the longest if the connection is refused, since retries are cheap
_CLOSE_TIMEOUT = 10.0  # seconds; the library takes up to 7 for a child process that does not exit
_MAX_PAGES = 100  # pages of a list of tools, against an endless one

Open = Callable[[], AbstractAsyncContextManager[Any]]
OnTools = Callable[[list[mcp_types.Tool], dict[str, str], str | None], None]


class Connection:
    """Connection to one server, with the MCP library's client.

    The client's task groups must be entered and left by the same task, so one task owns them for
    their lifetime; calls come from any task. After the connection is lost, the next call reconnects,
    after a delay that grows with each failure; all calls wait for the same attempt.

    Args:
        open: opens a transport.
        start_timeout: seconds for connecting, initialising and listing the tools.
        on_tools: called with the tools, the errors of invalid tools, and the server's
            instructions; at each connection and whenever the server announces a change.
        explain: returns the transport's explanation of an error.
    """

    def __init__(
        self,
        open: Open,
        *,
        start_timeout: float,
        on_tools: OnTools,
        explain: Callable[[BaseException], Awaitable[str]],
    ) -> None:
        self._open = open
        self._start_timeout = start_timeout
        self._on_tools = on_tools
        self._explain = explain
        self._client: Client | None = None
        self._attempt: asyncio.Future[Client] | None = None
        self._wanted = asyncio.Event()
        self._leave = asyncio.Event()
        self._changed = asyncio.Event()
        self._closing = False
        self._connecting: asyncio.Timeout | None = None
        self._version: str | None = None
        self._bad: dict[str, str] = {}
        self._loop = asyncio.get_running_loop()
        self._owner = self._loop.create_task(self._run(), name="mcp link")
        self.error: str | None = None
        """Why the server is not connected; None while it is."""
        self.unreachable = False
        """Whether the last attempt to connect was refused; the server may still be starting."""

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client is not None

    async def client(self) -> Client:
        """Return the client; connect first if necessary.

        Raises:
            ToolServerError: (kind "unreachable") there is no connection and connecting failed.
            ValidationError: the server does not have the tools that were configured.
        """
        if asyncio.get_running_loop() is not self._loop:
            raise ToolServerError(
                "The tool server was entered on another event loop; enter it where the runtime works.",
                kind="unreachable",
            )
        if self._client is not None:
            return self._client
        if self._closing:
            raise _disconnected()
        if self._attempt is None:
            self._attempt = self._loop.create_future()
            self._attempt.add_done_callback(lambda attempt: attempt.cancelled() or attempt.exception())
            self._wanted.set()
        return await asyncio.shield(self._attempt)

    def drop(self, client: Client) -> None:
        """Close the client's connection if it is still in use; the next call reconnects."""
        if client is self._client:
            self._on_loss()

    async def close(self) -> None:
        """Disconnect; returns within a few seconds in any case."""
        self._closing = True
        self._leave.set()
        self._wanted.set()
        if self._connecting is not None:
            with contextlib.suppress(RuntimeError):  # it has just expired
                self._connecting.reschedule(self._loop.time())
        try:
            await asyncio.wait({self._owner}, timeout=_CLOSE_TIMEOUT)
        finally:
            if not self._owner.done():
                _log.warning("A tool server did not disconnect in time; its connection is abandoned.")
                self._owner.cancel()
                await asyncio.wait({self._owner}, timeout=1)

    # --- the owner ---

    async def _run(self) -> None:
        pause = 0.0
        try:
            while await self._connection_wanted(pause):
                try:
                    await self._hold()
                    pause = 0.0
                    await self._ended()
                except Exception as error:
                    await self._failed(error)
                    longest = _REFUSED_INTERVAL if self.unreachable else _RECONNECT_INTERVALS[1]
                    pause = min(max(pause * 2, _RECONNECT_INTERVALS[0]), longest)
        finally:
            self._closing = True
            _fail(self._attempt, _disconnected())

    async def _connection_wanted(self, pause: float) -> bool:
        """Wait for a request to connect, and at least `pause` seconds; return False when closed."""
        await self._wanted.wait()
        self._leave.clear()
        if pause and not self._closing:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leave.wait(), pause)
        return not self._closing

    async def _hold(self) -> None:
        """Connect, and hold the connection until it is lost or closed."""
        self._leave.clear()
        async with AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(self._start_timeout) as self._connecting:
                    client = Client(self._streams(), cache=None, message_handler=self._on_message)
                    await stack.enter_async_context(client)
                    self._version = client.protocol_version
                    await self._read(client)
            finally:
                self._connecting = None
            follower = self._loop.create_task(self._follow(client), name="mcp tools")
            try:
                self._ready(client)
                await self._leave.wait()
            finally:
                self._client = None
                follower.cancel()
                await asyncio.wait({follower})

    @contextlib.asynccontextmanager
    async def _streams(self) -> AsyncGenerator[Any]:
        self._version = None
        async with self._open() as (read, write):
            yield MessageFilter(read, self._on_loss, self._without_bad_tools), write

    def _ready(self, client: Client) -> None:
        self._wanted.clear()
        self._client, self.error, self.unreachable = client, None, False
        attempt, self._attempt = self._attempt, None
        if attempt is not None and not attempt.done():
            attempt.set_result(client)

    def _on_loss(self) -> None:
        if self._client is not None:
            self._client, self.error = None, "The connection has ended."
        self._leave.set()

    async def _ended(self) -> None:
        if not self._closing:
            self.error = await self._explain(EOFError())
            _log.warning("%s", self.error)

    async def _failed(self, error: Exception) -> None:
        if self._closing:
            return
        attempt, self._attempt = self._attempt, None
        self._wanted.clear()
        cause = first_of(error)
        self.unreachable = isinstance(cause, MCPError) and cause.code == UNREACHABLE
        before, self.error = self.error, await self._explain(cause)
        if self.error != before:  # once for repeated failures
            _log.warning("%s", self.error)
        ours = cause if isinstance(cause, AgentCoreError) else None
        _fail(attempt, ours or ToolServerError(self.error, kind="unreachable"))

    # --- changes of the list ---

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self._changed.set()

    async def _follow(self, client: Client) -> None:
        """Reload the list of tools whenever the server announces a change."""
        capability = client.server_capabilities.tools
        if capability is None or not capability.list_changed:
            return
        modern = client.protocol_version in MODERN_PROTOCOL_VERSIONS
        try:
            await (self._subscribe(client) if modern else self._listen(client))
        except Exception as error:
            _log.warning("Stopped watching a tool server for changes of its tools: %s", first_of(error))

    async def _listen(self, client: Client) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            await self._refresh(client)

    async def _subscribe(self, client: Client) -> None:
        pause = _RECONNECT_INTERVALS[0]
        while True:
            try:
                async with client.listen(tools_list_changed=True) as changes:
                    await self._refresh(client)  # changes before the subscription, or without one
                    async for _ in changes:
                        pause = _RECONNECT_INTERVALS[0]
                        await self._refresh(client)
            except SubscriptionLost:
                pass
            except MCPError as error:
                if error.code == mcp_types.METHOD_NOT_FOUND:
                    return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _RECONNECT_INTERVALS[1])

    async def _refresh(self, client: Client) -> None:
        try:
            async with asyncio.timeout(self._start_timeout):
                await self._read(client)
        except Exception as error:
            _log.warning("Reloading the tools of a server failed: %s", first_of(error))

    async def _read(self, client: Client) -> None:
        tools: list[mcp_types.Tool] = []
        self._bad = {}
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += page.tools
            cursor = page.next_cursor
            if cursor is None:
                break
        self._on_tools(tools, self._bad, client.instructions)

    def _without_bad_tools(self, result: dict[str, Any]) -> dict[str, Any]:
        if self._version is None:
            return result
        return without_bad_tools(result, self._version, self._bad.__setitem__)


def _fail(attempt: asyncio.Future[Client] | None, error: AgentCoreError) -> None:
    if attempt is not None and not attempt.done():
        attempt.set_exception(error)


def _disconnected() -> ToolServerError:
    return ToolServerError("The tool server is disconnected.", kind="unreachable")


def first_of(error: BaseException) -> BaseException:
    """Return the first error inside exception groups, which task groups raise."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
