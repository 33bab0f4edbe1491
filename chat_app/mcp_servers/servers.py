"""MCP servers of the rows, connected in this process, and changed with the rows while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, TypeVar

from agent_core import McpServer, Tool, mcp_tools
from agent_core.errors import AgentCoreError, words_of
from agent_core.mcp.personal import PersonalServer
from agent_core.store.database.app_database import AppDatabase
from agent_core.support.logs import get_logger
from chat_app.database.tables import McpServerRow
from chat_app.extensions import ASSISTANT_SERVERS, MCP_SERVERS
from chat_app.mcp_servers import grants, rows
from chat_app.mcp_servers.grants import RowGrant
from chat_app.mcp_servers.reach import MayReach, may_reach_any, may_reach_none, may_reach_public
from chat_app.mcp_servers.revocations import Revocations
from chat_app.mcp_servers.sign_ins import SignIns
from chat_app.server.setting_values import Reach

LOOK_INTERVAL = 2.0  # seconds between two looks at the rows, which any process may have changed
START_WAIT = 3.0  # seconds for which a start waits for the servers; slower ones are connected later
_CONNECT_TIMEOUT = 10.0  # seconds to connect to a server and list its tools
_PERSONAL_TIMEOUT = 30.0  # the same if a grant is renewed first, perhaps by a process that dies meanwhile
_TEST_TIMEOUT = 5.0  # the same in a test, for which a person waits
_log = get_logger(__name__)
R = TypeVar("R")


@dataclass(slots=True)
class _Mounted:
    """A server of a row: the row it was made of, and the task that connects it."""

    row: McpServerRow
    server: McpServer | PersonalServer
    connecting: asyncio.Task[None] | None = None
    problem: str = ""


class AddedServers:
    """The servers of the rows, in this process.

    A server belongs to the app's own agent from the moment at which it is connected, until its row changes.

    Args:
        database: the database with the app's tables.
        reach: which addresses a server may have; with "none" no server is used.
        clock: returns seconds since the epoch.
    """

    def __init__(self, database: AppDatabase, reach: Reach, clock: Callable[[], float] = time.time) -> None:
        self.reach: Reach = reach
        self._database = database
        self._clock = clock
        self._mounted: dict[str, _Mounted] = {}
        self._lock = asyncio.Lock()
        self.sign_ins = SignIns(database, clock)
        self._revocations = Revocations(database, self._may_reach())

    async def add(
        self, name: str, url: str, headers: Mapping[str, str], approval: str, access: str = "shared"
    ) -> None:
        """Add a server and begin to connect it; see `rows.add_server`."""
        given = name, url, headers, approval, self._clock(), [*MCP_SERVERS], access
        await self._change(rows.add_server, *given)

    async def set_enabled(self, server_id: str, *, enabled: bool) -> None:
        """Switch a server on or off, in this process at once, and in the others within `LOOK_INTERVAL`."""
        await self._change(rows.set_enabled, server_id, enabled)

    async def remove(self, server_id: str) -> None:
        """Remove a server, as `set_enabled` switches it off."""
        await self._change(rows.remove_server, server_id)

    async def list(self) -> Sequence[McpServerRow]:
        """Return the rows."""
        return await asyncio.to_thread(self._database.read, rows.list_servers)

    async def connections(self, user_id: str | None) -> dict[str, bool]:
        """Return the names of the servers at which people sign in, and whether a person has."""
        ids = await asyncio.to_thread(self._database.read, grants.connected_ids, user_id or "")
        personal = [each.row for each in self._mounted.values() if each.row.access == "personal"]
        return {row.name: row.id in ids for row in sorted(personal, key=attrgetter("name"))}

    async def disconnect(self, name: str, user_id: str | None) -> None:
        """Remove a person's grant at a server, and begin to revoke it; it is not used again, in any process."""
        for row in [each.row for each in self._mounted.values() if each.row.name == name]:
            key = row.id, user_id or ""
            await asyncio.to_thread(self._database.write, grants.disconnect, key)
        await self._revocations.begin()

    def personal(self, name: str) -> tuple[str, PersonalServer] | None:
        """Return the id and the server with a name at which people sign in."""
        for each in self._mounted.values():
            if each.row.name == name and isinstance(each.server, PersonalServer) and not each.problem:
                return each.row.id, each.server
        return None

    def name_of(self, server_id: str) -> str:
        """Return the name of a server of this process, or ""."""
        found = self._mounted.get(server_id)
        return found.row.name if found else ""

    def server_of(self, row: McpServerRow) -> McpServer | PersonalServer | None:
        """Return the server of a row, if it is switched on here."""
        found = self._mounted.get(row.id)
        return found.server if found else None

    def problem_of(self, row: McpServerRow) -> str:
        """Return why a server cannot be used here, or ""."""
        found = self._mounted.get(row.id)
        if found is None or isinstance(found.server, PersonalServer):
            return found.problem if found else ""
        return found.problem or found.server.error or ""

    async def test(self, server_id: str, user_id: str | None = None) -> tuple[list[Tool], str]:
        """Connect to a server again, also if it is switched off; return its tools and the error ("": none).

        Args:
            server_id: the server.
            user_id: the person as whom to connect, if people sign in there.
        """
        row = next((row for row in await self.list() if row.id == server_id), None)
        if row is None or self.reach == "none":
            return [], ""
        try:
            if row.access == "personal":
                personal = self._mount_personal(row)
                await personal.test(user_id)
                return personal.tools, ""
            async with self._mount(row, required=True) as server:
                return server.tools, ""
        except AgentCoreError as error:
            return [], words_of(error)

    async def refresh(self) -> None:
        """Read the rows, and connect and disconnect what has changed."""
        async with self._lock:
            wanted = {row.id: row for row in await self.list() if row.enabled and self.reach != "none"}
            stale = [key for key, each in self._mounted.items() if not _is_same(each.row, wanted.get(key))]
            await asyncio.gather(*(self._unmount(self._mounted.pop(key)) for key in stale))
            for key in wanted.keys() - self._mounted.keys():
                self._begin(wanted[key])
            for key, each in self._mounted.items():
                if isinstance(each.server, PersonalServer) and each.row.tools != wanted[key].tools:
                    each.row = wanted[key]
                    await each.server.load(rows.tools_of(each.row))
        await self._revocations.begin()

    async def follow(self) -> None:
        """Refresh until cancelled; while the database is away, everything stays as it is."""
        while True:
            await asyncio.sleep(LOOK_INTERVAL)
            with contextlib.suppress(AgentCoreError):
                await self.refresh()

    async def settle(self, seconds: float) -> None:
        """Wait until every server was connected or has failed once, at most some seconds."""
        if tasks := [each.connecting for each in self._mounted.values() if each.connecting]:
            await asyncio.wait(tasks, timeout=seconds)

    async def close(self) -> None:
        """Disconnect all servers."""
        async with self._lock:
            mounted, self._mounted = list(self._mounted.values()), {}
            await asyncio.gather(self.sign_ins.close(), *map(self._unmount, mounted))
            await self._revocations.close()

    async def _change(self, function: Callable[..., R], *args: object) -> R:
        result = await asyncio.to_thread(self._database.write, function, *args)
        await self.refresh()
        return result

    def _begin(self, row: McpServerRow) -> None:
        is_personal = row.access == "personal"
        server = self._mount_personal(row) if is_personal else self._mount(row, required=False)
        mounted = _Mounted(row, server)
        mounted.connecting = asyncio.create_task(self._connect(mounted), name=f"mcp {row.name}")
        self._mounted[row.id] = mounted

    async def _connect(self, mounted: _Mounted) -> None:
        if mounted.row.name in MCP_SERVERS:
            mounted.problem = f"The configuration has another server named {mounted.row.name}."
            return
        ASSISTANT_SERVERS.append(mounted.server)
        try:
            if isinstance(mounted.server, PersonalServer):
                await mounted.server.load(rows.tools_of(mounted.row))
            else:
                await mounted.server.__aenter__()
        except AgentCoreError as error:
            mounted.problem = words_of(error)
        except Exception:
            _log.exception("The MCP server %s cannot be used", mounted.row.name)
            mounted.problem = "An unexpected error; the log has it."

    async def _unmount(self, mounted: _Mounted) -> None:
        if mounted.server in ASSISTANT_SERVERS:
            ASSISTANT_SERVERS.remove(mounted.server)
        if mounted.connecting is not None:
            mounted.connecting.cancel()
            await asyncio.wait({mounted.connecting})
        await mounted.server.close()

    def _mount(self, row: McpServerRow, *, required: bool) -> McpServer:
        return mcp_tools(
            row.url,
            name=row.name,
            prefix=row.name,
            headers=rows.headers_of(row),
            start_timeout=_TEST_TIMEOUT if required else _CONNECT_TIMEOUT,
            trust_hints=row.approval == "hints",
            required=required,
            may_reach=self._may_reach(),
        )

    def _mount_personal(self, row: McpServerRow) -> PersonalServer:
        async def keep(tools: list[dict[str, Any]]) -> None:
            await asyncio.to_thread(self._database.write, rows.set_tools, row.id, tools)

        return PersonalServer(
            row.url,
            name=row.name,
            prefix=row.name,
            grants=lambda user_id: RowGrant(self._database, row.id, user_id, self._clock()),
            start_timeout=_PERSONAL_TIMEOUT,
            trust_hints=row.approval == "hints",
            on_listed=keep,
            may_reach=self._may_reach(),
        )

    def _may_reach(self) -> MayReach:
        return {"any": may_reach_any, "public": may_reach_public, "none": may_reach_none}[self.reach]


def _is_same(row: McpServerRow, other: McpServerRow | None) -> bool:
    """Return whether a row needs the same server as another; its tools may be others."""
    return other is not None and row.model_dump(exclude={"tools"}) == other.model_dump(exclude={"tools"})


@asynccontextmanager
async def opened_servers(database: AppDatabase, reach: Reach) -> AsyncGenerator[AddedServers]:
    """Connect the servers of the rows for a block, around the runtime; none of them keeps it from starting."""
    servers = AddedServers(database, reach)
    await servers.refresh()
    await servers.settle(START_WAIT)
    following = asyncio.create_task(servers.follow(), name="mcp servers")
    try:
        yield servers
    finally:
        following.cancel()
        await asyncio.wait({following})
        await servers.close()
