"""Count failed attempts as rows, which every process sees and no restart forgets."""

from __future__ import annotations

from sqlalchemy import delete, text
from sqlmodel import Session, col

from chat_app.database.tables import AttemptRow


def add_attempt(session: Session, row_id: str, now: float) -> None:
    """Count one more attempt in a row; the first one begins its period."""
    session.execute(
        text(
            "INSERT INTO chat_attempt (id, number, since) VALUES (:id, 1, :now) "
            "ON CONFLICT (id) DO UPDATE SET number = chat_attempt.number + 1"
        ),
        {"id": row_id, "now": now},
    )


def end_periods(session: Session, kind: str, until: float) -> None:
    """Delete the rows of a kind (what precedes the colon in their ids) that began at a moment or before."""
    of_kind = col(AttemptRow.id).startswith(f"{kind}:", autoescape=True)
    session.execute(delete(AttemptRow).where(of_kind, col(AttemptRow.since) <= until))
