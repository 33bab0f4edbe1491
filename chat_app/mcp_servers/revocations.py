"""Revocation of grants that ended here, at the servers that gave them; in the background, and at most once each."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

from agent_core.errors import AgentCoreError, words_of
from agent_core.mcp.personal import revoke_grant
from agent_core.store.database.app_database import AppDatabase
from agent_core.support.logs import get_logger
from chat_app.database import revocations as rows
from chat_app.mcp_servers.reach import MayReach

_CLOSE_TIMEOUT = 2.0  # seconds for a revocation that is under way when the process ends
_log = get_logger(__name__)


class Revocations:
    """The revocations that this process does; each is taken by one process.

    Args:
        database: the database with the app's tables.
        may_reach: whether an address may be connected to.
    """

    def __init__(self, database: AppDatabase, may_reach: MayReach) -> None:
        self._database = database
        self._may_reach = may_reach
        self._task: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Begin to revoke what is to be revoked, if there is anything; return at once."""
        can_begin = (self._task is None or self._task.done()) and find_spec("mcp") is not None
        if can_begin and await asyncio.to_thread(self._database.read, rows.has_revocations):
            self._task = asyncio.create_task(self._run(), name="revocations")

    async def close(self) -> None:
        """Give up what is under way after a moment."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=_CLOSE_TIMEOUT)
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while (found := await asyncio.to_thread(self._database.write, rows.take_revocation)) is not None:
                await self._revoke(*found)
        except AgentCoreError as error:
            _log.warning("Revoking grants at MCP servers is put off: %s", words_of(error))

    async def _revoke(self, server: str, grant: dict[str, Any]) -> None:
        try:
            is_revoked = await revoke_grant(grant, self._may_reach)
        except AgentCoreError as error:
            _log.warning("A grant at %s was removed here, but not revoked there: %s", server, words_of(error))
        except Exception:  # of whatever the server published; the next grant must not wait for it
            _log.exception("A grant at %s was removed here, but not revoked there", server)
        else:
            done = "revoked there, too" if is_revoked else "the server offers no revocation"
            _log.info("A grant at %s was removed here; %s.", server, done)
