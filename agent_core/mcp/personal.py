"""Mount a tool server at which each person signs in: its tools are the same for all, and each call is its person's."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent_core.errors import ToolServerError, ValidationError
from agent_core.mcp.address import MayReach, ServerAddress
from agent_core.mcp.grants import GrantStore
from agent_core.mcp.tools import ToolConverter
from agent_core.sentences import sentence
from agent_core.tools import Tool, ToolContext

if TYPE_CHECKING:
    from agent_core.mcp.client import ServerClient

Show = Callable[[str], Awaitable[None]]
Wait = Callable[[], Awaitable[dict[str, Any]]]
_MAX_CLIENTS = 50
"""Connections that are kept; the one that was used longest ago is closed for another."""
_SIGN_IN_TIMEOUT = 600.0  # seconds that a person has


class PersonalServer:
    """A server over HTTP at which each person signs in (OAuth 2.1: authorization code with PKCE, dynamic registration).

    The list of tools is that of the person who signed in last; it is given and kept by the application, because it is
    needed before anybody connects. Enter and use it on one event loop.

    Args:
        url: the URL of a streamable HTTP server.
        name, prefix, trust_hints, may_reach, timeout, start_timeout: see `mcp_tools`.
        grants: returns where the grant of a person is kept, by the `user_id`, None in an application without users.
        on_listed: is given the list of tools, as plain JSON for `load`, when the server has another one.

    Raises:
        ValidationError: an argument is invalid.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str,
        grants: Callable[[str | None], GrantStore],
        prefix: str | None = None,
        trust_hints: bool = True,
        may_reach: MayReach | None = None,
        timeout: float | None = 60.0,
        start_timeout: float = 30.0,
        on_listed: Callable[[list[dict[str, Any]]], Awaitable[None]] | None = None,
    ) -> None:
        self.name = name
        self.tools: list[Tool] = []
        self.skipped: dict[str, str] = {}
        self._source = ServerAddress.of(url, name, None, None, None, may_reach)
        if self._source.url is None:
            raise ValidationError("People sign in at a URL, not at a command.")
        self._converter = ToolConverter(prefix, None, {}, timeout, trust_hints)
        self._start_timeout = start_timeout
        self._grants = grants
        self._on_listed = on_listed
        self._listed: list[dict[str, Any]] = []
        self._clients: OrderedDict[str | None, ServerClient] = OrderedDict()

    async def load(self, listed: Sequence[dict[str, Any]]) -> None:
        """Use a list of tools, unless it is the one in use."""
        if list(listed) != self._listed:
            convert = await asyncio.to_thread(_converted)
            self._listed = list(listed)
            self.tools, self.skipped = self._converter.tools(convert(self._listed), self._call)

    async def sign_in(
        self, user_id: str | None, *, client_name: str, redirect_uri: str, show: Show, wait: Wait
    ) -> None:
        """Let a person sign in with their browser, and list the tools.

        Args:
            user_id: the person.
            client_name: the name of the application, which the server shows.
            redirect_uri: the application's address to which the browser comes back.
            show: is given the address of the server to which to send the browser.
            wait: returns `code`, `state` and `iss` of the request with which the browser came back.

        Raises:
            ToolServerError: the server cannot be reached, asks nobody to sign in, or refused.
        """
        from agent_core.mcp.grant_auth import Browser

        store = self._grants(user_id)
        browser = Browser(client_name, redirect_uri, show, wait)
        async with self._opened(store, browser, _SIGN_IN_TIMEOUT) as client:
            await client.connect()
        if await store.read() is None:
            raise ToolServerError(f"The server {self.name} asks nobody to sign in.", kind="refused")
        await self._forget(user_id)

    async def test(self, user_id: str | None) -> None:
        """Connect as a person, and list the tools.

        Raises:
            ToolServerError: that failed, or the person has not signed in.
        """
        store = self._grants(user_id)
        await self._check(store)
        async with self._opened(store, None, self._start_timeout) as client:
            await client.connect()

    async def close(self) -> None:
        """Disconnect everybody."""
        clients, self._clients = list(self._clients.values()), OrderedDict()
        await asyncio.gather(*(client.close() for client in clients))

    async def _call(self, name: str, arguments: dict[str, Any], ctx: ToolContext) -> Any:
        store = self._grants(ctx.user_id)
        await self._check(store)
        try:
            return await (await self._client_of(ctx.user_id, store)).call(name, arguments, ctx)
        except ToolServerError:
            await self._check(store)  # the server has refused the grant, so it was ended
            raise

    async def _check(self, store: GrantStore) -> None:
        if await store.read() is None:
            raise ToolServerError(sentence("tool_server_sign_in", server=self.name), kind="refused")

    async def _client_of(self, user_id: str | None, store: GrantStore) -> ServerClient:
        if user_id not in self._clients:
            self._clients[user_id] = await self._client(store, None, self._start_timeout)
        self._clients.move_to_end(user_id)
        client = self._clients[user_id]
        if len(self._clients) > _MAX_CLIENTS:
            await self._forget(next(iter(self._clients)))
        return client

    async def _forget(self, user_id: str | None) -> None:
        if (client := self._clients.pop(user_id, None)) is not None:
            await client.close()

    @contextlib.asynccontextmanager
    async def _opened(self, store: GrantStore, browser: Any, timeout: float) -> AsyncGenerator[ServerClient]:
        client = await self._client(store, browser, timeout)
        try:
            yield client
        finally:
            await client.close()

    async def _client(self, store: GrantStore, browser: Any, timeout: float) -> ServerClient:
        await asyncio.to_thread(_converted)
        from agent_core.mcp.client import ServerClient
        from agent_core.mcp.grant_auth import GrantAuth

        assert self._source.url is not None
        auth = GrantAuth(self._source.url, store, browser, self._source.may_reach)
        source = replace(self._source, auth=auth)
        return ServerClient(source, timeout, self._found)

    def _found(self, listed: list[Any], bad: dict[str, str], instructions: str | None) -> None:
        found = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
        if found != self._listed:
            self._listed = found
            self.tools, self.skipped = self._converter.tools(listed, self._call)
            self.skipped |= bad
            if self._on_listed is not None:
                task = asyncio.ensure_future(self._on_listed(found))
                _TASKS.add(task)
                task.add_done_callback(_TASKS.discard)


async def revoke_grant(grant: dict[str, Any], may_reach: MayReach | None = None) -> bool:
    """Ask the authorization server of a grant once to revoke it (RFC 7009).

    Args:
        grant: the grant, as a `GrantStore` keeps it.
        may_reach: see `mcp_tools`.

    Returns:
        False if the server does not say where to ask.

    Raises:
        ToolServerError: it does not answer, or refuses.
        ValidationError: the package mcp is not installed.
    """
    await asyncio.to_thread(_converted)
    from agent_core.mcp.authorization_server import AuthorizationServerError, revoke

    try:
        return await revoke(grant, may_reach)
    except AuthorizationServerError as error:
        raise ToolServerError(str(error), kind="refused") from error


_TASKS: set[asyncio.Future[None]] = set()


def _converted() -> Callable[[list[dict[str, Any]]], list[Any]]:
    """Import the package `mcp`, which takes most of a second; return what reads a list of tools.

    Raises:
        ValidationError: it is not installed.
    """
    try:
        from mcp_types import Tool as ListedTool
    except ModuleNotFoundError as error:
        raise ValidationError(
            f'MCP servers need the package mcp: pip install "reflex-durable-agents[mcp]" ({error}).'
        ) from error
    return lambda listed: [ListedTool.model_validate(each) for each in listed]
