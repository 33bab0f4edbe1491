"""Rows of people's grants at MCP servers, and of sign-ins that are under way."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any, Literal

from sqlalchemy import delete
from sqlmodel import Session, col, select

from agent_core.store.database.app_database import AppDatabase
from chat_app.database.tables import McpGrantRow, McpServerRow, McpSignInRow

SIGN_IN_LIFE = 600.0  # seconds that a person has to sign in
Refusal = Literal["expired", "other"]


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
        """Replace the grant, unless its server was removed."""
        await asyncio.to_thread(self._database.write, write_grant, self._key, grant, self._now)

    async def end(self, access_token: str) -> None:
        """Remove the grant if it still has this token."""
        await asyncio.to_thread(self._database.write, end_grant, self._key, access_token)


def read_grant(session: Session, key: tuple[str, str]) -> dict[str, Any] | None:
    """Return a grant by its server and person."""
    row = session.get(McpGrantRow, key)
    return None if row is None else json.loads(row.grant)


def write_grant(session: Session, key: tuple[str, str], grant: dict[str, Any], now: float) -> None:
    """Write a grant in place of an earlier one, unless its server was removed."""
    if session.get(McpServerRow, key[0]) is None:
        return
    row = session.get(McpGrantRow, key) or McpGrantRow(
        server_id=key[0], user_id=key[1], grant="", created_at=now
    )
    row.grant = json.dumps(grant)
    session.add(row)


def end_grant(session: Session, key: tuple[str, str], access_token: str | None = None) -> None:
    """Remove a grant; with an access token, only if it is still that one."""
    row = session.get(McpGrantRow, key)
    if row is not None and access_token in (None, json.loads(row.grant)["tokens"]["access_token"]):
        session.delete(row)


def connected_ids(session: Session, user_id: str) -> set[str]:
    """Return the ids of the servers at which a person is signed in."""
    return set(session.exec(select(McpGrantRow.server_id).where(McpGrantRow.user_id == user_id)).all())


def forget_server(session: Session, server_id: str) -> None:
    """Remove everybody's grants at a server, and the sign-ins that are under way."""
    session.execute(delete(McpGrantRow).where(col(McpGrantRow.server_id) == server_id))
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


def _hash(state: str) -> str:
    return hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()
