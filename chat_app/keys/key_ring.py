"""Keys of the running app: who the holder of a key is, with a limit on wrong keys."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from agent_core import CallContext
from agent_core.errors import AccessDeniedError, AgentCoreError
from agent_core.store.database.app_database import AppDatabase
from chat_app.database.changes import read_change
from chat_app.database.tables import KeyRow
from chat_app.keys import rows

R = TypeVar("R")
WATCH_INTERVAL = 1.0  # seconds between two looks at whether keys, roles or people have changed
EXPIRY_INTERVAL = 5.0  # seconds between two looks at the key of an open response, which may have expired
_MAX_KEPT = 1000  # hashes of keys that were right


class TooManyKeysError(AgentCoreError):
    """Too many wrong keys came from one address."""


class KeyRing:
    """Keys in an open database.

    A key is looked up for every request, so that one that is revoked in any process is refused at once. What is
    compared is a hash, by the database's index: the time says nothing about a key that nobody can guess.

    Args:
        database: the database with the app's tables.
        admins: people who may have the scope admin; None: everybody to whom the app gave it.
        clock: returns seconds since the epoch.
    """

    def __init__(
        self,
        database: AppDatabase,
        admins: Collection[str] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._admins = admins
        self._clock = clock
        self._right: OrderedDict[str, None] = OrderedDict()
        self._looking = asyncio.Lock()
        self._change = -1
        self._looked_at = 0.0

    async def caller(self, secret: str, address: str) -> CallContext:
        """Return the caller whom a key names; claims are the role, and the key's id and scope.

        Args:
            secret: the key.
            address: the address of the client.

        Raises:
            AccessDeniedError: the key is not valid.
            TooManyKeysError: too many wrong keys came from the address.
        """
        key_hash = rows.hash_of(secret)
        if key_hash not in self._right and await self._read(
            rows.has_too_many_failures, address, self._clock()
        ):
            raise TooManyKeysError(f"Too many wrong keys. Try again in {rows.PERIOD:.0f} seconds.")
        found = await self._read(rows.find_holder, key_hash, self._clock())
        if found is None:
            self._right.pop(key_hash, None)
            await self._write(rows.count_failure, address, self._clock())
            raise AccessDeniedError("The key is not valid: it is wrong, has expired or was revoked.")
        holder, is_old = found
        self._keep(key_hash)
        if is_old:
            await self._write(rows.note_use, holder.key_id, self._clock())
        return self._context(holder)

    def _context(self, holder: rows.Holder) -> CallContext:
        role = "admin" if holder.scope == "admin" and self._may_administer(holder) else "member"
        return CallContext(holder.user_id, {"role": role, "key": holder.key_id, "scope": holder.scope})

    async def wait_for_end(self, secret: str, callers: Collection[CallContext]) -> None:
        """Wait until a key is no longer valid, or means another caller than its requests were answered for.

        Args:
            secret: the key.
            callers: whom `caller` has returned for the requests; more may be added meanwhile.
        """
        key_hash, change, looked_at = rows.hash_of(secret), -1, time.monotonic()
        while True:
            await asyncio.sleep(WATCH_INTERVAL)
            with contextlib.suppress(AgentCoreError):  # the database is away; it is asked again
                newest, now = await self._newest_change(), time.monotonic()
                if newest == change and now - looked_at < EXPIRY_INTERVAL:
                    continue
                change, looked_at = newest, now
                found = await self._read(rows.find_holder, key_hash, self._clock())
                if found is None or any(each != self._context(found[0]) for each in callers):
                    return

    async def _newest_change(self) -> int:
        """Return the number of changes; all open responses together ask the database once in `WATCH_INTERVAL`."""
        async with self._looking:
            if self._change < 0 or time.monotonic() - self._looked_at >= WATCH_INTERVAL:
                self._change = await self._read(read_change)
                self._looked_at = time.monotonic()
            return self._change

    def _may_administer(self, holder: rows.Holder) -> bool:
        """Return whether the person administers the app now: a role may be another one than when the key was made."""
        if holder.role is not None:
            return holder.role == "admin"
        return self._admins is None or holder.user_id in self._admins

    def _keep(self, key_hash: str) -> None:
        """Keep the hash of a key that was right as the newest, and forget the oldest of too many."""
        self._right[key_hash] = None
        self._right.move_to_end(key_hash)
        while len(self._right) > _MAX_KEPT:
            self._right.popitem(last=False)

    async def create(self, name: str, scope: str, user_id: str | None, days: float | None) -> rows.NewKey:
        """Create a key of a person; see `rows.create_key`."""
        return await self._write(rows.create_key, name, scope, user_id, self._clock(), days)

    async def list(self, user_id: str | None) -> Sequence[KeyRow]:
        """Return the keys of a person; None: those of nobody."""
        return await self._read(rows.list_keys, user_id)

    async def revoke(self, key_id: str, user_id: str | None) -> None:
        """Revoke a key of a person; see `rows.revoke_key`."""
        await self._write(rows.revoke_key, key_id, self._clock(), user_id)

    async def list_all(self, limit: int) -> Sequence[rows.OwnedKey]:
        """Return everybody's newest keys, with the names of their people; see `rows.list_owned_keys`."""
        return await self._read(rows.list_owned_keys, limit)

    async def revoke_any(self, key_id: str) -> None:
        """Revoke a key of anybody; see `rows.revoke_key`."""
        await self._write(lambda session: rows.revoke_key(session, key_id, self._clock(), anybody=True))

    async def _read(self, function: Callable[..., R], *args: Any) -> R:
        return await asyncio.to_thread(self._database.read, function, *args)

    async def _write(self, function: Callable[..., R], *args: Any) -> R:
        return await asyncio.to_thread(self._database.write, function, *args)
