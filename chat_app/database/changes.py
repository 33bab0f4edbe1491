"""A number that tells every process that sessions, roles or keys have changed."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, select

from chat_app.database.tables import ChangeRow


def read_change(session: Session) -> int:
    """Return the number of changes so far."""
    return session.exec(select(ChangeRow.number)).one()


def count_change(session: Session) -> None:
    """Tell every process that sessions have ended, or that a role or a key is another one."""
    session.execute(update(ChangeRow).values(number=ChangeRow.number + 1))
