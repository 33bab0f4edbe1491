"""Rows of grants that ended here, and are to be revoked at the server that gave them: functions of a database session."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, select

from agent_core.support.ids import new_id
from chat_app.database.tables import McpGrantRow, McpRevocationRow, McpServerRow


def end_grants(session: Session, *which: ColumnElement[bool]) -> None:
    """Remove the grants of these rows, and leave them to be revoked."""
    for row in session.exec(select(McpGrantRow).where(*which).with_for_update()).all():
        add_revocation(session, row.server_id, row.grant)
        session.delete(row)


def add_revocation(session: Session, server_id: str, grant: str) -> None:
    """Leave a grant of a server to be revoked."""
    server = session.get(McpServerRow, server_id)
    name = server.name if server else "a removed server"
    session.add(McpRevocationRow(id=new_id("revocation"), server=name, grant=grant))


def has_revocations(session: Session) -> bool:
    """Return whether a grant is to be revoked."""
    return session.exec(select(McpRevocationRow.id).limit(1)).first() is not None


def take_revocation(session: Session) -> tuple[str, dict[str, Any]] | None:
    """Take a grant that is to be revoked, which nobody else gets; return its server's name, and the grant."""
    oldest = select(McpRevocationRow).order_by(col(McpRevocationRow.id)).limit(1)
    row = session.exec(oldest.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    session.delete(row)
    return row.server, json.loads(row.grant)
