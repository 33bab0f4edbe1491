"""Rows of people's grants at MCP servers, and of sign-ins that are under way."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from sqlalchemy import Float, cast, delete, extract, func
from sqlmodel import Session, col, select

from agent_core.store.database.app_database import AppDatabase
from chat_app.database.revocations import add_revocation, end_grants
from chat_app.database.tables import McpGrantRow, McpServerRow, McpSignInRow

SIGN_IN_LIFE = 600.0  # seconds that a person has to sign in
Refusal = Literal["expired", "other"]
R = TypeVar("R")


class RowGrant:
    """The grant of one person at one server, in its row; an `agent_core.mcp.grants.GrantStore`."""

    def __init__(self, database: AppDatabase, server_id: str, user_id: str | None, now: float) -> None:
        self._database = database
        self._key = server_id, user_id or ""
        self._now = now

    async def read(self) -> dict[str, Any] | None:
        """Return the grant."""
        return await asyncio.to_thread(self._database.read, read_grant, self._key)

    async def write(self, grant: dict[str, Any]) -> None:
        """Write the grant in place of an earlier one, unless its server was removed."""
        await self._write(write_grant, grant, self._now)

    async def end(self, access_token: str) -> None:
        """Remove the grant if it still has this token."""
        await self._write(end_grant, access_token)

    async def lease(self, access_token: str, seconds: float) -> float | None:
        """Lease the grant for its renewal if it still has this token and has no other lease."""
        return await self._write(lease_grant, access_token, seconds)

    async def release(self, lease: float) -> None:
        """End a lease."""
        await self._write(release_grant, lease)

    async def replace(self, access_token: str, grant: dict[str, Any]) -> None:
        """Write a renewed grant; if the one with this token is gone, leave it to be revoked."""
        await self._write(replace_grant, access_token, grant)

    async def _write(self, function: Callable[..., R], *args: Any) -> R:
        return await asyncio.to_thread(self._database.write, function, self._key, *args)


def read_grant(session: Session, key: tuple[str, str]) -> dict[str, Any] | None:
    """Return a grant by its server and person."""
    row = session.get(McpGrantRow, key)
    return None if row is None else json.loads(row.grant)


def write_grant(session: Session, key: tuple[str, str], grant: dict[str, Any], now: float) -> None:
    """Write a grant in place of an earlier one; leave it to be revoked if its server was removed."""
    if session.get(McpServerRow, key[0], with_for_update=True) is None:  # so that two first ones wait here
        add_revocation(session, key[0], json.dumps(grant))
        return
    row = session.get(McpGrantRow, key) or McpGrantRow(
        server_id=key[0], user_id=key[1], grant="", created_at=now
    )
    row.grant, row.lease_until = json.dumps(grant), None
    session.add(row)


def end_grant(session: Session, key: tuple[str, str], access_token: str) -> None:
    """Remove a grant that its server has refused, if it still has this access token."""
    if (row := _row_with(session, key, access_token)) is not None:
        session.delete(row)


def lease_grant(session: Session, key: tuple[str, str], access_token: str, seconds: float) -> float | None:
    """Lease a grant that still has this access token; None if another process has leased it."""
    row, now = _row_with(session, key, access_token), _time(session)
    # A lease that ends later than one from now was made before the clock was set back.
    if row is None or (row.lease_until is not None and now < row.lease_until <= now + seconds):
        return None
    row.lease_until = now + seconds
    session.add(row)
    return row.lease_until


def release_grant(session: Session, key: tuple[str, str], lease: float) -> None:
    """End a lease, unless it is not that one any more."""
    row = session.get(McpGrantRow, key, with_for_update=True)
    if row is not None and row.lease_until == lease:
        row.lease_until = None
        session.add(row)


def replace_grant(session: Session, key: tuple[str, str], access_token: str, grant: dict[str, Any]) -> None:
    """Write a renewed grant in place of the one with this access token; without it, leave it to be revoked."""
    if (row := _row_with(session, key, access_token)) is not None:
        row.grant, row.lease_until = json.dumps(grant), None
        session.add(row)
    elif _row_with(session, key, grant["tokens"]["access_token"]) is None:  # else it was written before
        add_revocation(session, key[0], json.dumps(grant))


def disconnect(session: Session, key: tuple[str, str]) -> None:
    """Remove a grant, and leave it to be revoked."""
    end_grants(session, col(McpGrantRow.server_id) == key[0], col(McpGrantRow.user_id) == key[1])


def connected_ids(session: Session, user_id: str) -> set[str]:
    """Return the ids of the servers at which a person is signed in."""
    return set(session.exec(select(McpGrantRow.server_id).where(McpGrantRow.user_id == user_id)).all())


def forget_server(session: Session, server_id: str) -> None:
    """Remove everybody's grants at a server, leave them to be revoked, and remove sign-ins that are under way."""
    session.get(McpServerRow, server_id, with_for_update=True)  # no grant is written meanwhile
    end_grants(session, col(McpGrantRow.server_id) == server_id)
    session.execute(delete(McpSignInRow).where(col(McpSignInRow.server_id) == server_id))


def begin_sign_in(session: Session, state: str, server_id: str, user_id: str, now: float) -> None:
    """Write that a person begins to sign in, and remove what was never finished."""
    session.execute(delete(McpSignInRow).where(col(McpSignInRow.created_at) < now - SIGN_IN_LIFE))
    session.add(McpSignInRow(id=_hash(state), server_id=server_id, user_id=user_id, created_at=now))


def answer_sign_in(
    session: Session, state: str, user_id: str, answer: dict[str, str], now: float
) -> tuple[str, Refusal | None]:
    """Write with what the browser of the same person came back.

    Returns:
        The server's id, "" if it is not known, and why nothing was written: "expired" if nobody began this sign-in, it took
        too long, or it was answered before; "other" if another person began it.
    """
    row = session.get(McpSignInRow, _hash(state), with_for_update=True)
    if row is None:
        return "", "expired"
    if row.user_id != user_id:
        return row.server_id, "other"
    if row.answer is not None or row.created_at < now - SIGN_IN_LIFE:
        return row.server_id, "expired"
    row.answer = json.dumps(answer)
    session.add(row)
    return row.server_id, None


def answer_of(session: Session, state: str) -> dict[str, str] | None:
    """Return the answer of a sign-in; None while there is none.

    Raises:
        LookupError: it was removed with its server, or is too old.
    """
    row = session.get(McpSignInRow, _hash(state))
    if row is None:
        raise LookupError(state)
    return None if row.answer is None else json.loads(row.answer)


def end_sign_in(session: Session, state: str) -> None:
    """Remove a sign-in."""
    session.execute(delete(McpSignInRow).where(col(McpSignInRow.id) == _hash(state)))


def is_under_way(session: Session, state: str) -> bool:
    """Return whether the process that began a sign-in has not ended it."""
    return session.get(McpSignInRow, _hash(state)) is not None


def _row_with(session: Session, key: tuple[str, str], access_token: str) -> McpGrantRow | None:
    row = session.get(McpGrantRow, key, with_for_update=True)
    return (
        row if row is not None and json.loads(row.grant)["tokens"]["access_token"] == access_token else None
    )


def _time(session: Session) -> float:
    """Return seconds since the epoch, by the clock that all processes share."""
    if session.get_bind().dialect.name == "sqlite":
        return time.time()
    return session.execute(select(cast(extract("epoch", func.clock_timestamp()), Float))).scalar_one()


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
