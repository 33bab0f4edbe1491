"""Limits on failed attempts to sign in, per name and per address, as rows: a restart forgets none.

A name is limited for each address, so that nobody can lock out a person whose name they know; over all addresses, it
is limited more widely, against guesses from many machines.
"""

from __future__ import annotations

from sqlalchemy import delete, text
from sqlmodel import Session, col

from chat_app.accounts.people import token_hash
from chat_app.database.attempts import add_attempt, end_periods
from chat_app.database.tables import AttemptRow

PERIOD = 15 * 60.0  # seconds after which counting begins anew
MAX_PER_NAME_AND_ADDRESS = 10
MAX_PER_NAME = 100
MAX_PER_ADDRESS = 50  # several people may share one


def count_attempt(session: Session, key: str, address: str, now: float) -> float:
    """Count an attempt before its password is compared; return the seconds to wait if there were too many.

    Args:
        key: the name's key; what is stored is a hash, as people type passwords into the wrong field.
        address: the IP address of the browser.
    """
    for kind in ("name", "address"):
        end_periods(session, kind, now - PERIOD)
    limits = {
        _of_name(key, address): MAX_PER_NAME_AND_ADDRESS,
        _of_name(key): MAX_PER_NAME,
        f"address:{address}": MAX_PER_ADDRESS,
    }
    for row_id, most in limits.items():
        row = session.get(AttemptRow, row_id)
        if row is not None and row.number >= most:
            return row.since + PERIOD - now
    for row_id in limits:
        add_attempt(session, row_id, now)
    return 0.0


def forget_attempts(session: Session, key: str, address: str) -> None:
    """Forget a name's attempts from an address that had the right password, and the last of each of the two.

    What others have tried with the name still counts: the person who signs in does not give them more guesses.
    """
    session.execute(delete(AttemptRow).where(col(AttemptRow.id) == _of_name(key, address)))
    for row_id in (_of_name(key), f"address:{address}"):
        session.execute(
            text("UPDATE chat_attempt SET number = number - 1 WHERE id = :id AND number > 0"), {"id": row_id}
        )


def _of_name(key: str, address: str = "") -> str:
    return f"name:{token_hash(key)}" + (f":{address}" if address else "")
